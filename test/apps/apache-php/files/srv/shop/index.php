<?php require 'lib/common.php';
foreach (shop()->query('SELECT id, name FROM articles ORDER BY id LIMIT 10') as $row) echo $row['id'], ' ', htmlspecialchars($row['name']), "\n";
