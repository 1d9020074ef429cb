#!/bin/sh
# PostgreSQL, started by root as a user of its own, and what its old data say. "bench": pgbench makes tables and writes to them from two
# clients. "crypto", "trigram": an extension that nothing else uses.
set -e
bin=$(echo /usr/lib/postgresql/*/bin)
as() { su -s /bin/sh postgres -c "$bin/$1"; }
ask() { as "psql -h /tmp -X -q -At -c \"$1\" postgres"; }
as "pg_ctl -D /var/lib/pg -w -t 300 -l /tmp/pg.log start" >/dev/null || { cat /tmp/pg.log; exit 1; }
ask "select count(*), sum(price) from articles"
case $1 in
bench)
	as "pgbench -h /tmp -i -q postgres" >/tmp/bench.log 2>&1 || { cat /tmp/bench.log; exit 1; }
	as "pgbench -h /tmp -n -c 2 -t 25 postgres" | grep "actually processed"
	ask "select count(*) from pgbench_history"
	;;
crypto) ask "create extension pgcrypto; select encode(digest('lamp', 'sha256'), 'hex')" ;;
trigram) ask "create extension pg_trgm; select similarity('harbour', 'harbor')" ;;
esac
as "pg_ctl -D /var/lib/pg -w -t 300 -m fast stop" >/dev/null
