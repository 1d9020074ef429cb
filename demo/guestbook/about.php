<?php
require 'common.php';
$extensions = get_loaded_extensions();
sort($extensions);
page('About', '<p>PHP ' . PHP_VERSION . ' on ' . h(database()->server_info) . ', host ' . h(gethostname()) . ', '
	. date_default_timezone_get() . "</p>\n<p>" . implode(' ', $extensions) . "</p>\n<pre>" . h(shell_exec('id -un; cat /etc/debian_version')) . "</pre>\n");
