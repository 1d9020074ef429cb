#!/bin/sh
printf "Content-Type: text/plain\r\n\r\n"; awk "BEGIN { print 6 * 7 }"; date -u -d @0 +%Y
