# make help lists everything. What a target does beyond one command lives in .ci/run and ci/.

.DEFAULT_GOAL := help
.PHONY: help check test race fmt lint ci example simulate walks mutants models chaos soak fuzz bench security browser deploy arm64 start interop servers-up servers-down localstack-up localstack-down server-test clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: ## what must pass before every commit: gofmt, vet, staticcheck, tests with -race
	.ci/run static unit

test: ## the tests of every module, quickly
	go test work

race: ## the tests of every module under the race detector
	go test -race work

fmt: ## format every Go file
	git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -w

lint: ## golangci-lint, if you have it (.golangci.yml); check does not need it
	golangci-lint run ./...

ci: ## everything that must hold before a change lands: check, server tests, the example
	.ci/run

example: ## run the clickstream example; needs nothing but Go
	go run ./examples/clickstream

simulate: ## whole fleets under faults, by seed (SEEDS=1000 SEED=1 SIM='-world sdk -size large')
	@ci/simulate.sh -seeds $(or $(SEEDS),1000) -first $(or $(SEED),1) $(SIM)

walks: ## random walks through the steps of the protocol (SEEDS=1000000 SEED=1)
	@go run ./ci/walks -seeds $(or $(SEEDS),1000000) -first $(or $(SEED),1)

mutants: ## break the production code in each of the ways that are listed, and see a test fail
	@go run ./ci/mutants

models: ## the TLA+ models (RUNS=full: those of three workers too); needs Java and pip
	@spec/run.sh $(RUNS)

chaos: ## real processes that are killed, stopped and cut off (MINUTES=2, CHAOS='-kind kcl -seed 7 …')
	@go run ./ci/chaos -minutes $(or $(MINUTES),2) $(CHAOS)

soak: ## the same at a low rate, with what the processes use (MINUTES=120)
	@go run ./ci/chaos -soak -minutes $(or $(MINUTES),120) $(CHAOS)

fuzz: ## every fuzz target (TIME=20s, TARGETS=pattern)
	@ci/fuzz.sh run $(or $(TIME),20s)

bench: ## what a record costs beside other readers (BENCH='-quick -json', '-parts all', …)
	@go run ./bench $(BENCH)

security: ## gosec, govulncheck, what is built in, a build that can be repeated
	@ci/security.sh

arm64: ## what is written in assembler for arm64, under QEMU
	@ci/arm64.sh

browser: ## the dashboard and the live view of the tool in a headless Chromium, with pictures
	@ci/browser.sh

deploy: ## the linters of the manifests and templates under deploy/
	@ci/deploy.sh

start: ## docs/start.md as it is written, with empty caches, timed
	@ci/start.sh

servers-up: ## install (once) and start local servers for the server tests, without Docker
	ci/servers.sh install
	ci/servers.sh up

servers-down: ## stop them
	ci/servers.sh down

server-test: ## the server tests against the servers of servers-up
	eval "$$(ci/servers.sh env)" && TOWPATH_TEST_REQUIRED=1 go test -count=1 -p 1 -run Server ./...

interop: ## towpath and the real KCL on one lease table (KCL=2.7.2,3.5.1 MINUTES=10 SWITCHES=20 KILLS=50)
	ci/interop.sh install
	ci/interop.sh run

localstack-up: ## install (once) and start LocalStack without Docker; needs Python 3.13
	ci/servers.sh install
	ci/localstack.sh install
	ci/localstack.sh up

localstack-down: ## stop it
	ci/localstack.sh down

clean: servers-down localstack-down ## stop the servers and remove what was installed for them
	rm -rf .emulators
