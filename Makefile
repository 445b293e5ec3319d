# What is needed: Go, as go.mod says, and Node for the console.

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

CONSOLE  = $(shell find console/src console/public console/*.json console/*.ts console/index.html -type f) api/openapi.json

.PHONY: help build console run test race lint fmt screenshots soak load clean

help: ## Lists what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: console ## Builds the console and bin/casm
	CGO_ENABLED=0 go build -ldflags '$(LDFLAGS)' -o bin/casm ./cmd/casm

console: console/dist/index.html ## Builds the web console

console/node_modules: console/package-lock.json
	cd console && npm ci --no-audit --no-fund
	@touch $@

console/dist/index.html: console/node_modules $(CONSOLE)
	cd console && npm run --silent build

run: build ## Builds and starts a server for development, with the demonstration, on DATA
	bin/casm serve --dev --demo --data $(DATA) $(ARGS)

test: console ## Runs all tests
	go test -timeout 15m ./...

race: ## Runs the tests under the race detector, where there is a C compiler
	go test $(RACE) -timeout 20m $$(go list ./... | grep -v -x $(TIMED:%=-e %))

lint: console/node_modules ## Checks form and finds mistakes: gofumpt, go vet, staticcheck and others; of the console types and form
	go vet ./...
	$(TOOL) golangci-lint run ./...
	cd console && npm run --silent lint

fmt: console/node_modules ## Puts the source into form
	$(TOOL) golangci-lint fmt ./...
	cd console && npm run --silent fmt

screenshots: console ## Makes docs/screenshots anew
	CASM_SCREENSHOTS=$(CURDIR)/docs/screenshots go test -count 1 -run Screenshots ./test/console

soak: ## Kills a server under load ROUNDS times and compares what is left
	CASM_ROUNDS=$(ROUNDS) go test -count 1 -timeout 0 -run Kill -v ./test/...

load: build ## Measures create customer at 1 to 256 clients, with and without gathering
	bin/casm load --compare-batch-limit 1

clean: ## Removes what was built (not the data)
	rm -rf bin console/node_modules console/dist/assets console/dist/*.*
