<?php
function shop(): PDO {
	$db = new PDO('sqlite:/srv/shop/data/shop.db');
	$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
	return $db;
}
