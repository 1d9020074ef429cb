#!/bin/bash
# What every behaviour script begins with. Each check leaves its output and status as a result of its own, which is then held against
# what the original answered to the same.
export LC_ALL=C.UTF-8 TZ=UTC
check() {
	local name=$1
	shift
	{ "$@" 2>&1; printf 'status %s\n' $?; } >"$TRANSHIP_RESULTS/$name"
}
