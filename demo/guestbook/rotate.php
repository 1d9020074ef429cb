<?php
require __DIR__ . '/common.php';
foreach (database()->query('SELECT YEAR(written) y, COUNT(*) n FROM entries GROUP BY y ORDER BY y') as $row) {
	echo $row['y'], "\t", $row['n'], "\n";
}
