<?php
// Names in collation order and in capitals: needs the intl and mbstring extensions.
require 'common.php';
$names = [];
foreach (database()->query('SELECT DISTINCT author FROM entries') as $row) $names[] = $row['author'];
(new Collator('fr_FR'))->sort($names);
$list = '';
foreach ($names as $name) $list .= '<li>' . h(mb_strtoupper($name, 'UTF-8')) . "</li>\n";
$money = (new NumberFormatter('de_DE', NumberFormatter::CURRENCY))->formatCurrency(1234.5, 'EUR');
page('Names', "<ul>\n$list</ul>\n<p>" . h($money) . ' ' . h(iconv('UTF-8', 'ASCII//TRANSLIT', 'déjà vu')) . "</p>\n");
