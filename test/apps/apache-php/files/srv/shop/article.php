<?php require 'lib/common.php';
$found = shop()->prepare('SELECT name, price FROM articles WHERE id = ?');
$found->execute([(int) $_GET['id']]);
$row = $found->fetch(PDO::FETCH_ASSOC);
if (!$row) { http_response_code(404); exit("no such article\n"); }
echo json_encode($row), "\n";
