#!/usr/bin/env bash
# Everything that must hold before a change lands. Each step says its name; the first failure ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."

# step ends the one before, with its time, and begins another.
began=$SECONDS
step() {
	((SECONDS == 0)) || printf '   %d s\n' $((SECONDS - began))
	began=$SECONDS
	printf '== %s\n' "$*"
}

step gofmt
unformatted=$(gofmt -l $(git ls-files --cached --others --exclude-standard '*.go'))
[ -z "$unformatted" ] || { echo "run gofmt -w on:"; echo "$unformatted"; exit 1; }

step vet
go vet ./...
GOARCH=arm64 go vet ./...

step staticcheck
go tool staticcheck ./...

step "modules tidy"
go mod tidy -diff

if command -v clang >/dev/null; then
	step "generated files are what their sources generate"
	before=$(find netio -name '*.o' -o -name '*_bpf*.go' | sort | xargs -r sha256sum)
	go generate ./netio/...
	after=$(find netio -name '*.o' -o -name '*_bpf*.go' | sort | xargs -r sha256sum)
	if [ "$before" != "$after" ]; then
		diff <(echo "$before") <(echo "$after") || true
		echo "the compiled steering program differs from its C source: commit the regenerated files (make generate)"
		exit 1
	fi
else
	step "generated files: skipped, clang is not installed"
fi

step "race, shuffled"
go build -buildvcs=false -o bin/testreport ./tools/testreport
go test -json -race -shuffle=on -timeout 15m ./... 2>&1 | bin/testreport

step "each benchmark once"
go test -run '^$' -bench . -benchtime 1x ./... | grep -v 'no test files'

step "fuzz, ${FUZZTIME:-3s} a target"
FUZZTIME=${FUZZTIME:-3s} tools/fuzz.sh

step "all of it: $((SECONDS / 60)) min $((SECONDS % 60)) s"
