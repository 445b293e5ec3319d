# What is needed: Go, as go.mod says. The console, when it comes, also Node.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X casm/app.Version=$(VERSION)
DATA    ?= ./casm-data
# More flags for make run, such as ARGS="--listen 127.0.0.1:8081"
ARGS    ?=
ROUNDS  ?= 50
# The race detector needs a C compiler; tests run without it where there is none.
RACE    := $(shell command -v cc >/dev/null 2>&1 && echo -race)
# Packages whose tests are about time or load: the race detector would only slow them down.
TIMED    = casm/test casm/store/sqlite casm/stream/natsjs
TOOL     = go tool -modfile=tools/go.mod

.PHONY: help build run test race lint fmt soak load clean

help: ## Lists what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Builds bin/casm
	CGO_ENABLED=0 go build -ldflags '$(LDFLAGS)' -o bin/casm ./cmd/casm

run: build ## Builds and starts a server for development, with the demonstration, on DATA
	bin/casm serve --dev --demo --data $(DATA) $(ARGS)

test: ## Runs all tests
	go test -timeout 9m ./...

race: ## Runs the tests under the race detector, where there is a C compiler
	go test $(RACE) -timeout 20m $$(go list ./... | grep -v -x $(TIMED:%=-e %))

lint: ## Checks form and finds mistakes: gofumpt, go vet, staticcheck and others by golangci-lint
	go vet ./...
	$(TOOL) golangci-lint run ./...

fmt: ## Puts the source into form
	$(TOOL) golangci-lint fmt ./...

soak: ## Kills a server under load ROUNDS times and compares what is left
	CASM_ROUNDS=$(ROUNDS) go test -count 1 -timeout 0 -run Kill -v ./test/...

load: build ## Measures create customer at 1 to 256 clients, with and without gathering
	bin/casm load --compare-batch-limit 1

clean: ## Removes what was built (not the data)
	rm -rf bin
