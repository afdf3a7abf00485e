# Stationmaster. `make run` shows it, `make test` proves it.
export CGO_ENABLED ?= 0
GO      ?= go
TOOL     = $(GO) tool -modfile=tools/go.mod
TESTARGS ?=

.PHONY: help run build capi test check generate bench clean

help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

run: build ## install what is missing, build, start the demo on 127.0.0.1
	@scripts/needs run
	./bin/station demo

build: ## build bin/station, with the sessions' small first process inside
	$(GO) build -trimpath -ldflags='-s -w' -o internal/host/small/holder ./cmd/station-holder
	$(GO) build -trimpath -tags smallholder -o bin/station ./cmd/station

capi: ## the C library, capi/build (needs a C compiler)
	$(MAKE) -C capi

check: ## formatting, vet, static analysis, arm64, import edges, generated files, rule numbers
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "gofmt: the files above are not formatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags lockdep ./...
	GOARCH=arm64 $(GO) build ./...
	$(TOOL) staticcheck ./...
	$(GO) test ./internal/api/gen ./capi/gen ./internal/house
	$(GO) test -run TestSessionWindows ./station
	$(GO) run ./conform/report -check

test: ## everything: unit, conformance, scripts, integration as root, browser
	@scripts/needs test
	CGO_ENABLED=1 $(GO) test -json -race -tags lockdep -timeout 20m $(TESTARGS) ./... | $(GO) run ./tests/tell

generate: ## codecs, client, dispatch and reference from the call table
	$(GO) generate ./...

bench: build ## the figures of bench/README.md
	@scripts/needs test
	$(GO) run ./bench -runs 2 -o bench/README.md

clean:
	rm -rf bin artefacts capi/build
