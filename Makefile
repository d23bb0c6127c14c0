# The few things one does with weir's source. `make` alone lists them.

GO    ?= go
TOOL  := $(GO) tool -modfile=tools/go.mod
# Packages whose tests run a second time under the race detector: all that start goroutines
# or guard something.
RACED := $(shell grep -lE --include='*.go' -r '^\s*go [a-zA-Z.]+[^ a-zA-Z.,]|"sync"|"sync/atomic"' . 2>/dev/null | xargs -r -n1 dirname | sort -u)
# Packages whose tests run under the race detector alone: they mostly wait, and are the same code with and without it.
ONCE  := weir/cert weir/bench/soak
# What a fuzz target gets in one run of `make fuzz`.
FUZZTIME ?= 20s

.DEFAULT_GOAL := help
.PHONY: help run test race fuzz bench soak sockets testssl lint docs build setup

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-7s %s\n", $$1, $$2}'

run: build ## start weir on an embedded demonstration
	@./weir demo

build: ## build the one static binary, ./weir
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o weir ./cmd/weir

# One package's tests at a time: they look at times and at what the machine has, and two at once see each other.
test: setup lint ## everything that has to hold; installs what the tests need
	@$(GO) test -vet=off -p 1 -timeout 20m $$($(GO) list ./... | grep -vxF $(ONCE:%=-e %))
	@$(GO) build -race $(RACED)
	@$(GO) test -vet=off -p 1 -timeout 20m -race $(RACED)

race: ## the tests of every package under the race detector
	@$(GO) test -race ./...

sockets: ## ten thousand WebSockets over every version, through a hundred reloads
	@$(GO) test -vet=off -timeout 20m -count 1 -v ./weirtest -run '^TestSockets$$' -args -sockets 10000 -reloads 100

testssl: ## what testssl.sh finds in a listener as it is by default; takes minutes
	@script/setup testssl
	@WEIR_TESTSSL=1 $(GO) test -vet=off -timeout 20m -count 1 -v ./weirtest -run '^TestTestssl$$'

lint: ## formatting, vet, staticcheck
	@odd=$$($(TOOL) gofumpt -l .); test -z "$$odd" || { echo "not formatted; run: $(TOOL) gofumpt -w" $$odd; exit 1; }
	@$(GO) vet ./...
	@$(TOOL) staticcheck ./...

fuzz: ## each fuzz target for FUZZTIME (20s)
	@script/fuzz $(FUZZTIME)

bench: ## weir beside nginx and haproxy (ROUNDS, SECONDS, WORK)
	@bench/run

soak: ## ten minutes of mixed load with failures (DURATION=10m)
	@$(GO) run ./bench/soak -duration $(or $(DURATION),10m)

docs: ## write doc/reference/ anew from the schema
	@$(GO) generate ./...

setup: # what the tests need, installed where it is missing
	@script/setup nginx haproxy php-fpm curl cc
