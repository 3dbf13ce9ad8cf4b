#!/usr/bin/env bash
# Runs every fuzz target of the packages given (default ./...) for FUZZTIME each, one after the other: go test takes one target at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./...
time=${FUZZTIME:-5s}

targets=$(go test -list '^Fuzz' "$@" | awk '/^Fuzz/ { name[n++] = $1 } $1 == "ok" { for (i = 0; i < n; i++) print $2, name[i]; n = 0 }')
[ -n "$targets" ] || { echo "no fuzz targets in $*" >&2; exit 1; }
while read -r pkg name; do
	echo "fuzz $pkg $name ($time)"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime=10x "$pkg" </dev/null
done <<<"$targets"
