<?php
// Stores an uploaded text under its digest and tells the digest.
require 'common.php';
$content = file_get_contents('php://input');
$name = sha1($content) . '.txt';
file_put_contents(settings()['uploads'] . '/' . $name, $content);
page('Stored', '<p>' . $name . ', ' . strlen($content) . " bytes</p>\n");
