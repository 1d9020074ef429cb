<?php
require 'common.php';
$list = '';
foreach (scandir(settings()['uploads']) as $name) {
	if ($name[0] === '.') continue;
	$list .= '<li>' . h($name) . ', ' . filesize(settings()['uploads'] . '/' . $name) . " bytes</li>\n";
}
page('Uploads', "<ul>\n$list</ul>\n");
