# Gala. `make run` shows a ladder in the browser, `make test` proves the rest; both install and build what they lack.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help deps build run test bench gauntlet dist generate check-generated lint fmt clean deps-build web twin
MAKEFLAGS += --no-print-directory

# gpl links x264 and x265 into the worker; lgpl leaves them out.
export FFMPEG_LICENSE ?= gpl
COUNT ?= 5
export LADDER LISTEN GRPC DATA TWIN VERSION
# As it was typed: a name may hold a dollar sign.
export override INPUT := $(value INPUT)

setup := tools/setup
env := . $(setup)/env.sh &&
tool := go tool -modfile=tools/go.mod
# Slow ones go without the race detector: C code, which it does not see, and tests that wait for real media; one after the
# other, because they watch the clock. One or two that fail are run once more by themselves and named in the last lines: a
# machine's bad moment does not hold up everything else, and nobody can overlook it.
slow := /(agent/worker|media/libav|e2e|benchmarks|cmd)(/|$$)
flaky := build/flaky
twice := $(tool) gotestsum --format standard-quiet --rerun-fails=1 --rerun-fails-max-failures=2 --rerun-fails-abort-on-data-race --rerun-fails-report=$(flaky)

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

deps: ## install the packages that are missing, and build FFmpeg into the cache
	@$(setup)/deps.sh build run test
	@$(setup)/ffmpeg.sh >/dev/null

deps-build:
	@$(setup)/deps.sh build
	@$(setup)/ffmpeg.sh >/dev/null

build: deps-build ## build/gala, build/gala-agent, build/gala-worker
	@$(setup)/build.sh

twin: deps-build ## stand-ins for NVIDIA's driver, for tests without a GPU, in build/twin
	@$(setup)/twin.sh

web: deps-build
	@$(setup)/build.sh --web

run: ## a farm on this machine and a job in it: the test card, or INPUT=file-or-url; TWIN=l4:2 gives it GPUs that are not there
	@$(setup)/deps.sh build run
	@$(MAKE) build $(if $(TWIN),twin)
	@$(setup)/run.sh

test: ## everything that can be proved on this machine
	@$(setup)/deps.sh build test
	@$(setup)/players.sh
	@$(setup)/s3server.sh
	@$(setup)/gcsserver.sh
	@$(setup)/azurite.sh
	@$(MAKE) build twin
	$(env) go vet ./...
	@rm -f $(flaky)-*.txt
	$(env) $(twice)-fast.txt --packages="$$(go list ./... | grep -vE '$(slow)' | tr '\n' ' ')" -- -race
	$(env) $(twice)-slow.txt --packages="$$(go list ./... | grep -E '$(slow)' | tr '\n' ' ')" -- -p 1 -timeout 80m
	@again=$$(cat $(flaky)-*.txt); test -z "$$again" || printf 'passed only when run again by itself; find out why before the next change:\n%s\n' "$$again" >&2

bench: build ## two minutes of benchmarks; ARGS='vod --pairs 11', ARGS='start --runs 200': the whole ones
	$(env) go run ./benchmarks $(ARGS)

gauntlet: build ## the end-to-end tests COUNT times (5): workers, agents, farms and Redis are killed, playlists looked at
	@$(setup)/deps.sh test
	@$(setup)/players.sh
	@$(setup)/s3server.sh
	@$(setup)/gcsserver.sh
	@$(setup)/azurite.sh
	$(env) for run in $$(seq $(COUNT)); do echo "gauntlet: $$run of $(COUNT)"; go test -count=1 -timeout 80m $(ARGS) ./e2e/...; done

dist: build ## an archive with the three binaries
	$(setup)/dist.sh

generate: ## Go code from proto/
	go generate ./proto/...

check-generated: generate ## is the committed generated code current?
	@git diff --exit-code -- proto || { echo "generated code is not current: run 'make generate' and commit proto/" >&2; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard -- proto)" || { echo "generated files are not committed:" >&2; git ls-files --others --exclude-standard -- proto >&2; exit 1; }

lint: web ## gofmt, vet, staticcheck, shellcheck
	@unformatted=$$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l); test -z "$$unformatted" || { echo "run 'make fmt':" $$unformatted >&2; exit 1; }
	$(env) go vet ./...
	$(env) $(tool) staticcheck ./...
	@$(setup)/deps.sh test
	shellcheck -x $(setup)/*.sh .ci/run

fmt: ## gofmt everything
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

clean: ## remove build/ (FFmpeg stays in its cache: `tools/setup/ffmpeg.sh --prefix` says where)
	rm -rf build
