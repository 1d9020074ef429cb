<?php $u = posix_getpwuid(33); echo $u["name"], " ", gethostbyname("localhost"), " ", getservbyname("https", "tcp"), " ", getprotobyname("udp"), "\n";
