# Coffer. 'make help' lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  := -s -w -X main.version=$(VERSION)
LINT     := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
TIMEOUT  ?= 20m
FUZZTIME ?= 10s

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-8s %s\n", $$1, $$2}'

build: ## build bin/coffer
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/coffer ./cmd/coffer

run: build ## build and run coffer dev
	bin/coffer dev

test: ## run the whole suite
	$(GO) test -json -timeout $(TIMEOUT) ./... | $(GO) run ./test/report

verify: ## generate, tidy, format, vet, lint, architecture; then no difference
	$(GO) generate ./...
	$(GO) mod tidy -diff
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); [ -z "$$out" ] || { echo "gofmt -w $$out"; exit 1; }
	$(GO) vet ./...
	$(LINT) run ./...
	$(GO) test -count=1 .
	git diff --exit-code

bench: build ## measure coffer beside its peers (BENCH='-d 10s -write')
	$(GO) run ./bench $(BENCH)

fuzz: ## run every fuzzer for FUZZTIME (10s)
	@for file in $$(git grep -lE '^func Fuzz' -- '*_test.go'); do \
	  for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' "$$file"); do \
	    $(GO) test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME); \
	  done; \
	done

.PHONY: help build run test verify bench fuzz
