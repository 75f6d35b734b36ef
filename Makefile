# The only commands: people and CI call the same ones.

.DEFAULT_GOAL := help
.PHONY: help run dashboard build-tests test test-rust test-clients test-deploy test-docs test-dashboard fuzz check bench bench-gateway bench-registry fmt

TARGET := $(or $(CARGO_TARGET_DIR),target)
TENORA := $(TARGET)/release/tenora
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: dashboard ## Build, and serve the demo on 127.0.0.1:8080
	cargo build --release -p tenora-gateway
	$(TENORA) serve --demo

test: test-rust test-clients test-deploy test-docs test-dashboard ## Run everything; what needs an absent service says SKIPPED

# Built anew when a file of it has changed; without Node there is a page that says how to get it.
DASHBOARD := $(shell find dashboard -path dashboard/node_modules -prune -o -path dashboard/dist -prune -o -type f -print)
dashboard: dashboard/dist/app/index.html ## Build the web page that is put into the binary

dashboard/dist/app/index.html: $(DASHBOARD)
	@if ! command -v npm >/dev/null; then \
	echo "SKIPPED: the dashboard: Node is not installed; without it the page says how to get it"; \
	elif ! (cd dashboard && npm ci --silent --no-audit --no-fund && npm run --silent build); then \
	echo "SKIPPED: the dashboard: its packages cannot be had, or it does not build; see above"; fi

# The binary is built with the features that the tests unify to: else every shared crate would be built twice.
build-tests: dashboard
	cargo build --release --workspace --all-targets

test-rust: build-tests ## Run the Rust suites
ifeq ($(NEXTEST),yes)
	cargo nextest run --release --workspace --no-fail-fast --success-output final
	cargo test --release --workspace --doc
else
	cargo test --release --workspace --no-fail-fast
endif

test-clients: build-tests ## Run the official OpenAI clients, a short demo evaluation and Schemathesis against the demo
	tests/clients/run.sh $(TENORA)

test-docs: build-tests ## Run the commands of README.md and docs/, and check their links
	tests/docs/run.sh $(TENORA)

test-dashboard: build-tests ## Use the dashboard in a browser, as an operator and as tenants
	tests/dashboard/run.sh $(TENORA)

test-deploy: build-tests ## Hold deploy/ and the run book against a running demo's metrics and against themselves
	tests/deploy/run.sh $(TENORA)

FUZZ_S := 60
fuzz: ## Mutate adapters against the upload's checks for FUZZ_S seconds
	FUZZ_S=$(FUZZ_S) cargo test --release --workspace --test fuzz -- --ignored --nocapture

check: ## Formatting, lints, documentation, licences, and the dashboard's
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps --document-private-items
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; \
	else echo "SKIPPED: cargo deny is not installed"; fi
	@if [ -d dashboard/node_modules ]; then cd dashboard && npm run --silent check; \
	else echo "SKIPPED: the dashboard's rules: make dashboard brings what they need"; fi

bench: ## Measure throughput, latency and cold starts; BENCH="--all" for everything, see bench/README.md
	cargo build --release -p tenora-gateway
	$(TENORA) bench $(BENCH)

bench-gateway: ## Measure what the gateway adds to a request; with LITELLM=path/to/litellm its proxy beside it
	cargo build --release -p tenora-gateway
	$(if $(LITELLM),bench/litellm.py $(TENORA) $(LITELLM),$(TENORA) bench --shape tiny --set TENORA_THREADS=1 --scenarios gateway) $(BENCH)

bench-registry: ## Measure the registry with 100,000 adapters; needs the Postgres and Redis of the tests
	cargo bench --workspace --bench registry

fmt: ## Format
	cargo fmt --all
