<?php
// A picture of the entries by year: needs the gd extension.
require 'common.php';
$image = imagecreatetruecolor(200, 100);
imagefill($image, 0, 0, imagecolorallocate($image, 255, 255, 255));
$bar = imagecolorallocate($image, 40, 90, 160);
$x = 5;
foreach (database()->query('SELECT YEAR(written) y, COUNT(*) n FROM entries GROUP BY y ORDER BY y') as $row) {
	imagefilledrectangle($image, $x, 95 - (int) $row['n'], $x + 12, 95, $bar);
	imagestring($image, 1, $x, 2, substr($row['y'], 2), $bar);
	$x += 18;
}
header('Content-Type: image/png');
imagepng($image);
