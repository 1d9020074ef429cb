<?php
// Shared by all pages: the data base, the frame, escaping.
function settings(): array {
	static $settings = null;
	return $settings ??= parse_ini_file('/etc/guestbook/config.ini');
}

function database(): mysqli {
	// Kept: a connection that nobody holds is closed under the statements made with it.
	static $db = null;
	if ($db !== null) return $db;
	$s = settings();
	mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
	$db = new mysqli($s['host'], $s['user'], $s['password'], $s['database']);
	$db->set_charset('utf8mb4');
	return $db;
}

function h(string $text): string {
	return htmlspecialchars($text, ENT_QUOTES, 'UTF-8');
}

function page(string $title, string $body): void {
	header('Content-Type: text/html; charset=utf-8');
	echo "<!doctype html>\n<html><head><title>", h($title), "</title></head>\n<body>\n<h1>", h($title), "</h1>\n", $body,
		"<p><a href=\"/\">Guest book</a></p>\n</body></html>\n";
}
