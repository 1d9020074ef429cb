#!/bin/sh
# Redis with four threads for its connections: started, asked, stopped.
set -e
redis-server --port 6399 --io-threads 4 --io-threads-do-reads yes --save '' --appendonly no --dir /tmp >/dev/null &
server=$!
for i in $(seq 200); do
	if redis-cli -p 6399 ping >/dev/null 2>&1; then break; fi
	sleep 0.05
done
redis-cli -p 6399 set key value
redis-cli -p 6399 get key
redis-cli -p 6399 config get io-threads
redis-cli -p 6399 shutdown nosave
wait $server || true
