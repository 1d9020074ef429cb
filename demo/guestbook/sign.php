<?php
// Adds an entry: POST author, message.
require 'common.php';
$query = database()->prepare('INSERT INTO entries (author, message, written) VALUES (?, ?, ?)');
$author = (string) ($_POST['author'] ?? 'nobody');
$message = (string) ($_POST['message'] ?? '');
$written = '2009-06-15 12:00:00';
$query->bind_param('sss', $author, $message, $written);
$query->execute();
page('Thank you', '<p>' . h($author) . ", your entry was added.</p>\n");
