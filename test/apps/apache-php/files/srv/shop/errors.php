<?php http_response_code((int) $_GET["code"]); echo "our own page for ", $_GET["code"], "\n";
