<?php
// Run once while the demo's old machine is built: schema, user and 300 entries, the same each time.
$db = new mysqli('localhost', 'root', '', '', 0, '/run/mysqld/mysqld.sock');
foreach ([
	'CREATE DATABASE guestbook CHARACTER SET utf8mb4',
	"CREATE USER guestbook@'127.0.0.1' IDENTIFIED BY 'autumn-leaves-1998'",
	"CREATE USER guestbook@'localhost' IDENTIFIED BY 'autumn-leaves-1998'",
	"GRANT ALL ON guestbook.* TO guestbook@'127.0.0.1'",
	"GRANT ALL ON guestbook.* TO guestbook@'localhost'",
	'CREATE TABLE guestbook.entries (id INT AUTO_INCREMENT PRIMARY KEY, author VARCHAR(80), message TEXT, written DATETIME) ENGINE=InnoDB',
] as $statement) {
	$db->query($statement) || exit("$statement: $db->error\n");
}
$db->set_charset('utf8mb4');
$authors = ['Amélie', 'Björn', 'Chloé', 'Dmitri', 'Eleni', 'Françoise', 'Grünwald', 'Håkon', 'İpek', 'José', 'Zoë', 'Étienne'];
$words = ['quiet', 'winter', 'harbour', 'letters', 'under', 'the', 'lamp', 'we', 'remember', 'old', 'machines', 'singing'];
$query = $db->prepare('INSERT INTO guestbook.entries (author, message, written) VALUES (?, ?, ?)');
for ($i = 1; $i <= 300; $i++) {
	$author = $authors[$i * 7 % 12];
	$message = '';
	for ($w = 0; $w < 6; $w++) $message .= ($w ? ' ' : '') . $words[($i * ($w + 3) + $w * $w) % 12];
	$written = sprintf('%04d-%02d-%02d 08:%02d:00', 1998 + $i % 10, 1 + $i % 12, 1 + $i % 28, $i % 60);
	$query->bind_param('sss', $author, $message, $written);
	$query->execute();
}
