#!/usr/bin/env bash
# Runs every fuzz target of the packages given (default ./...) for FUZZTIME each, one after the other: go test takes one target at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./...
time=${FUZZTIME:-5s}

targets=$(go test -list '^Fuzz' "$@" | awk '/^Fuzz/ { name[n++] = $1 } $1 == "ok" { for (i = 0; i < n; i++) print $2, name[i]; n = 0 }')
[ -n "$targets" ] || { echo "no fuzz targets in $*" >&2; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
while read -r pkg name; do
	echo "fuzz $pkg $name ($time)"
	# Now and then go test calls it a failure that the time is over (Go 1.26). What it finds comes with an input.
	if ! go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime=10x "$pkg" </dev/null 2>&1 | tee "$log"; then
		grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input written' "$log" || exit 1
	fi
done <<<"$targets"
