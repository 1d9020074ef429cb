#!/bin/sh
# Programs and scripts that are found by PATH and started by their first line.
set -e
static-program a 'b c'
by-env
if with-argument; then echo "not ok: the script went on"; exit 1; else echo "ok: stopped at the first error"; fi
own-interpreter x
cat <"/srv/scripts/text"
(cd /usr/local/bin && ./own-interpreter relative)
