<?php
require 'common.php';
$query = database()->prepare('SELECT author, message, written FROM entries WHERE id = ?');
$id = (int) ($_GET['id'] ?? 0);
$query->bind_param('i', $id);
$query->execute();
$row = $query->get_result()->fetch_assoc();
if ($row === null) {
	http_response_code(404);
	page('No such entry', "<p>There is no entry $id.</p>\n");
	exit;
}
page('Entry ' . $id, '<blockquote>' . h($row['message']) . "</blockquote>\n<p>" . h($row['author']) . ', ' . $row['written'] . "</p>\n");
