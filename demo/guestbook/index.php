<?php
require 'common.php';
$start = max(0, (int) ($_GET['start'] ?? 0));
$rows = database()->query("SELECT id, author, message FROM entries ORDER BY id LIMIT 25 OFFSET $start");
$list = '';
foreach ($rows as $row) {
	$list .= '<li><a href="/entry/' . $row['id'] . '">' . h($row['author']) . '</a>: ' . h($row['message']) . "</li>\n";
}
page('Guest book', "<ol start=\"" . ($start + 1) . "\">\n$list</ol>\n<p><a href=\"/?start=" . ($start + 25) . "\">more</a></p>\n");
