#!/bin/sh
# nginx serves; some pages are asked for. With "all" also those that nobody asked for while it was watched.
set -e
nginx -c /etc/hard/nginx.conf -g 'daemon off;' 2>/dev/null &
server=$!
for i in $(seq 200); do
	if wget -q -O /dev/null http://127.0.0.1:8099/one.html 2>/dev/null; then break; fi
	sleep 0.05
done
pages="one two three"
if [ "$1" = all ]; then pages="four sub/five"; fi
for page in $pages; do wget -q -O - "http://127.0.0.1:8099/$page.html"; done
kill $server
wait $server || true
