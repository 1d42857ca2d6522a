# Everything a person does with this repository. `make help` lists it.

GO ?= go
SEEDS ?= 2000
ADDR ?= 127.0.0.1:8080

.DEFAULT_GOAL := help

include infra/aws.mk

## help: list the targets
help:
	@sed -n 's/^## \([a-z-]*\): \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

## run: start the server on this machine (ADDR=127.0.0.1:8080; data in ./.downbeat)
run:
	$(GO) build -o bin/downbeat ./cmd/downbeat
	@exec bin/downbeat local --addr $(ADDR)

## test: all tests that need Go alone
test:
	$(GO) test ./...

## lint: formatting, vet and staticcheck
lint:
	@out="$$(gofmt -l $$(git ls-files '*.go'))"; if [ -n "$$out" ]; then echo "not gofmt'ed:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK) ./...

STATICCHECK ?= v0.8.2

## race: the tests of the core and of the local stack under the race detector
race:
	$(GO) test -race -short ./core/... ./localstack/... ./events/...

## sim: seeded simulation with all faults (SEEDS=2000, SEED=n repeats one)
sim:
	$(GO) run ./test/sim/cmd/sim --seeds $(SEEDS) $(if $(SEED),--seed $(SEED))

## sim-defects: put deliberate defects into the simulation, each of which must be found within SEEDS seeds
sim-defects:
	$(GO) run ./test/sim/cmd/sim --defects --seeds $(SEEDS)

## bench: steps/s, latencies, request units and price (BENCH_JSON=FILE writes JSON lines)
bench:
	$(GO) run ./test/bench $(if $(BENCH_JSON),--json $(BENCH_JSON))
	$(GO) run ./test/bench/external $(if $(BENCH_JSON),--json $(BENCH_JSON).external)

## conformance: play the recorded scenarios, count by area
conformance:
	$(GO) run ./test/conformance/cmd/play --summary

## sdk: the Python client of Maestro's users, unchanged, against this server
sdk:
	test/peers/sdk.sh

## peers-adapters: the AWS adapters on DynamoDB Local, ElasticMQ and MiniStack (needs Java with Maven, and Python)
peers-adapters:
	test/peers/adapters.sh

.PHONY: help run test lint race sim sim-defects bench conformance sdk peers-adapters
