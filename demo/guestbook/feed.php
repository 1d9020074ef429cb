<?php
// The newest entries as XML: needs the xml extension.
require 'common.php';
$document = new DOMDocument('1.0', 'UTF-8');
$document->formatOutput = true;
$feed = $document->appendChild($document->createElement('feed'));
foreach (database()->query('SELECT id, author, message FROM entries ORDER BY id LIMIT 10') as $row) {
	$entry = $feed->appendChild($document->createElement('entry'));
	$entry->setAttribute('id', $row['id']);
	$entry->appendChild($document->createElement('author'))->appendChild($document->createTextNode($row['author']));
	$entry->appendChild($document->createElement('message'))->appendChild($document->createTextNode($row['message']));
}
header('Content-Type: application/xml; charset=utf-8');
echo $document->saveXML();
