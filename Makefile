# What people do with this repository. Each target says what it does while it does it.

.PHONY: help setup demo test test-models study train soak soak-ingest soak-edition soak-push soak-cuts fuzz bench bench-generate bench-search bench-library check clean

help: ## Show this
	@echo "Almanac: farm questions in, cited answers out, over MQTT."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

setup: ## Install missing Debian packages (sudo only if needed)
	@scripts/setup.sh

demo: ## Build, fetch models, ingest the sample farm, ask questions over MQTT
	@scripts/demo.sh

test: ## Formatting, lints, documentation and all tests, with real models
	@scripts/test.sh

test-models: ## Fetch and import the models that the tests run
	@scripts/test-models.sh

study: ## Ask the sample farm's test questions of every arm, write docs/study
	@scripts/study.sh

train: ## Tune the sample farm's adapter anew (half an hour; installs PyTorch beside the build)
	@scripts/train.sh

soak: ## The long tests: 20 kills at random moments, a broker restart, floods
	@scripts/soak.sh

soak-ingest: ## The long test of ingests: 50 kills at random moments
	@scripts/soak-ingest.sh

soak-edition: ## The long test of updates: 200 questions while an adapter comes in
	@scripts/soak-edition.sh

soak-push: ## The long test of pushes: three boxes, three editions, a broker restart and a killed box
	@scripts/soak-push.sh

soak-cuts: ## The long test of cuts: a process killed at every write of an update, and 300 times at random
	@scripts/soak-cuts.sh

fuzz: ## Fuzz all that is read from outside (SECONDS_EACH=60, ONLY=target, AT_ONCE=2)
	@scripts/fuzz.sh

bench: ## Measure this machine: how fast it reads, writes and searches
	@scripts/bench.sh

bench-generate: ## Read and write beside llama.cpp: same weights, prompts and threads, in turns
	@scripts/bench-generate.sh

bench-search: ## Search 1,000 to 100,000 passages of your texts (DATA=folder), beside usearch and torch
	@scripts/bench-search.sh

bench-library: ## Take the sample farm and your folders (DATA=...) into one library, and time that
	@scripts/bench-library.sh

check: ## The quick part of test: no models, no downloads
	@scripts/check.sh

clean: ## Remove everything built (fetched models stay in the cache)
	cargo clean
