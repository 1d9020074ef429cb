<?php
// Adds an entry: POST author, message. The receipt is signed with the site's own key.
require 'common.php';
$query = database()->prepare('INSERT INTO entries (author, message, written) VALUES (?, ?, ?)');
$author = (string) ($_POST['author'] ?? 'nobody');
$message = (string) ($_POST['message'] ?? '');
$written = '2009-06-15 12:00:00';
$query->bind_param('sss', $author, $message, $written);
$query->execute();
openssl_sign("$author: $message", $signature, file_get_contents('/etc/guestbook/signing.key'), OPENSSL_ALGO_SHA256);
page('Thank you', '<p>' . h($author) . ", your entry was added.</p>\n<p>Receipt " . sha1($signature) . "</p>\n");
