# Viaduct. `make` alone lists the targets; `make run` serves, `make test` proves.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
PREFIX   ?= /usr/local
COMMIT   := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# Static: no libc resolver or user database code in the process, and the syscall package can change the ids of all threads itself.
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-X main.commit=$(COMMIT)'
FUZZTIME ?= 5s
SOAKTIME ?= 10m
PKG      ?= ./...
ARGS     ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/viaduct and bin/viaductctl
	@mkdir -p bin
	@$(BUILD) -o bin/ ./cmd/viaduct ./cmd/viaductctl

.PHONY: man
man: build ## write the manual pages to bin/man
	@mkdir -p bin/man
	@bin/viaduct man > bin/man/viaduct.8
	@bin/viaduct man viaduct.cfg > bin/man/viaduct.cfg.5
	@bin/viaductctl man > bin/man/viaductctl.1

.PHONY: run
run: build ## build and serve in the foreground with the built-in configuration, log to stderr (ARGS="-l 127.0.0.1:5060 …")
	exec bin/viaduct -D -E $(ARGS)

.PHONY: test
test: ## install what the tests need (as root on Debian), then run all of them
	@tools/deps.sh
	@$(GO) build -buildvcs=false -o bin/testreport ./tools/testreport
	@$(GO) test -json -timeout 15m $(PKG) 2>&1 | bin/testreport

.PHONY: check
check: ## gofmt, vet, staticcheck, generated files, race and shuffle, each benchmark once, a little fuzzing
	@tools/check.sh

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (default 5s); PKG narrows it
	@FUZZTIME=$(FUZZTIME) tools/fuzz.sh $(PKG)

.PHONY: generate
generate: ## compile the steering program again from its C source (needs clang)
	$(GO) generate ./netio/...

.PHONY: bench
bench: build ## measure against the raw forwarder and Kamailio, print the tables of BENCHMARKS.md (ARGS=…)
	$(GO) run ./bench/run $(ARGS)

.PHONY: demo
demo: build ## one call through Viaduct, message by message (ARGS=…)
	$(GO) run ./bench/demo $(ARGS)

.PHONY: soak
soak: build ## the load of the benchmark for SOAKTIME (default 10m), watching losses and memory; then every timer at full length
	$(GO) run ./bench/run -only loss -soak $(SOAKTIME) $(ARGS)
	@$(GO) build -buildvcs=false -o bin/testreport ./tools/testreport
	@$(GO) test -json -count=1 -timeout 20m -parallel 32 ./tools/outside -run '^TestRow' -long 2>&1 | bin/testreport

.PHONY: install
install: build man install-docs ## install both binaries, unit file, manual pages and documents under PREFIX (default /usr/local, DESTDIR honoured)
	install -D -m 0755 bin/viaduct $(DESTDIR)$(PREFIX)/sbin/viaduct
	install -D -m 0755 bin/viaductctl $(DESTDIR)$(PREFIX)/bin/viaductctl
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man8 bin/man/viaduct.8
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man5 bin/man/viaduct.cfg.5
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man1 bin/man/viaductctl.1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/lib/systemd/system
	bin/viaductctl completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/viaductctl
	sed 's|/usr/local|$(PREFIX)|g' cmd/viaduct/viaduct.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/viaduct.service

# In the folders of the tree: documents link to one another.
.PHONY: install-docs
install-docs: ## install the documents alone
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/viaduct README.md CHANGELOG.md SECURITY.md BENCHMARKS.md LICENSE
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/viaduct/bench/plots bench/plots/*.svg
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/viaduct/docs docs/*.md
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/viaduct/docs/grafana docs/grafana/*.json
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/viaduct/docs/modules docs/modules/*.md
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/viaduct/docs/sipp docs/sipp/*.xml

.PHONY: deb
deb: build man ## make a Debian package of it, bin/viaduct_VERSION_ARCH.deb (MAINTAINER="Name <address>")
	@packaging/deb.sh

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
