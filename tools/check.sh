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

step "generated files are what their sources generate"
# It says what it lacks where it must skip: clang, in the version that made the committed files, or the headers of BPF.
go test -count=1 -v -run '^TestGeneratedFilesAreCurrent$' ./netio/steer | grep -v '^=== '

step "race, shuffled"
go build -buildvcs=false -o bin/testreport ./tools/testreport
go test -json -race -shuffle=on -timeout 15m ./... 2>&1 | bin/testreport

step "each benchmark once"
go test -run '^$' -bench . -benchtime 1x ./... | grep -v 'no test files'

step "fuzz, ${FUZZTIME:-3s} a target"
FUZZTIME=${FUZZTIME:-3s} tools/fuzz.sh

step "all of it: $((SECONDS / 60)) min $((SECONDS % 60)) s"
