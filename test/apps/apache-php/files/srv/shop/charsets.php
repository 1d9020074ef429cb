<?php foreach (["EUC-JP", "KOI8-R", "BIG5", "CP1252//TRANSLIT", "UTF-16LE", "GB18030"] as $c) echo $c, " ", bin2hex((string) @iconv("UTF-8", $c, "a日é")), "\n";
