<?php
// The months in French: needs the locale fr_FR and the time zone data base.
require 'common.php';
$found = setlocale(LC_TIME, 'fr_FR.UTF-8');
$list = '';
for ($month = 1; $month <= 12; $month++) {
	$list .= '<li>' . h(strftime('%A %e %B %Y', gmmktime(12, 0, 0, $month, 14, 2009))) . "</li>\n";
}
$tokyo = (new DateTime('2009-06-15 12:00', new DateTimeZone('Europe/Paris')))->setTimezone(new DateTimeZone('Asia/Tokyo'));
page('Calendrier', '<p>' . h((string) $found) . "</p>\n<ul>\n$list</ul>\n<p>" . $tokyo->format('c') . "</p>\n");
