<?php $a = new PharData("/tmp/t" . getmypid() . ".tar"); $a["x.txt"] = "in a box"; echo file_get_contents("phar:///tmp/t" . getmypid() . ".tar/x.txt"), "\n"; unlink("/tmp/t" . getmypid() . ".tar");
