<?php $e = get_loaded_extensions(); sort($e); echo implode(" ", $e), "\n"; echo php_sapi_name(), " ", PHP_VERSION, "\n";
