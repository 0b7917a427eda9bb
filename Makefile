# Everything that people and machines run here. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

BIN := .venv/bin
# How many processes run the tests: on two cores three, for many wait for what they start (four take as long).
JOBS ?= 3
# Options of pip-compile for `make lock`, such as --upgrade.
LOCK ?=

# A stamp says that the environment holds what its lock names. The larger lock holds the smaller.
RUNTIME := .venv/.runtime
DEV := .venv/.dev
INSTALLS := pyproject.toml tools/install.sh

$(RUNTIME): requirements.lock $(INSTALLS)
	@tools/install.sh requirements.lock
	@touch $@

# Verifiers written elsewhere stand apart, so that nothing here can come to depend on them.
FOREIGN := tests/support/foreign_verifiers/requirements.txt

$(DEV): requirements-dev.lock $(FOREIGN) $(INSTALLS)
	@tools/install.sh requirements-dev.lock
	@rm -rf .venv/foreign
	@$(BIN)/python -m pip install -qq --no-deps --ignore-requires-python --require-hashes \
		--only-binary :all: --target .venv/foreign -r $(FOREIGN)
	@touch $(RUNTIME) $@

# What changes the code to see whether a test notices: apart too, for few ever run it.
MUTMUT := .venv/mutmut

$(MUTMUT)/.installed: requirements-mutants.lock $(DEV)
	@rm -rf $(MUTMUT)
	@$(BIN)/python -m pip install -qq --no-deps --require-hashes --only-binary :all: \
		--target $(MUTMUT) -r requirements-mutants.lock
	@touch $@

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(RUNTIME) ## Play four stories by four sets of rules, spend one honest withdrawal, verify it
	@$(BIN)/twinlock demo

.PHONY: serve
serve: $(RUNTIME) ## Serve on http://localhost:8080, with a database of its own
	@$(BIN)/twinlock serve

.PHONY: test
test: $(DEV) ## Run every test in random order, and hold the coverage to its limits
	@tools/system-packages.sh tests
	@mkdir -p var && rm -f .coverage .coverage.* var/coverage.json
# Once, and not in each process, also where Python is told to keep no bytecode.
	@$(BIN)/python -m compileall -q -j 2 src tests/support tools
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -rs -n $(JOBS) --cov --cov-report=json:var/coverage.json
	$(BIN)/python tools/coverage_gate.py var/coverage.json

# Modules of tests/mutants.toml for `make mutants`; all of them unless told.
MODULES ?=

.PHONY: mutants
mutants: $(MUTMUT)/.installed ## Change domain and proofs bit by bit: some test must notice (hours)
	PYTHONPATH=$(CURDIR)/$(MUTMUT) $(BIN)/python tools/mutate.py \
		$$($(BIN)/python tools/survivors.py modules $(MODULES))
	$(BIN)/python tools/survivors.py table $(MODULES)
	$(BIN)/python tools/survivors.py check $(MODULES)

.PHONY: check
check: $(DEV) ## Check style, types, imports and house rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/tidy

.PHONY: docs
docs: $(DEV) ## Write the pages of docs/ that follow from the code
	$(BIN)/python tools/generate_docs.py

.PHONY: range-table
range-table: $(DEV) ## Play every story under every profile in memory, and write the README's table
	@$(BIN)/python tools/range_table.py

.PHONY: lock
lock: $(DEV) ## Pin the dependencies anew (LOCK=--upgrade takes newer ones)
	tools/lock.sh $(LOCK)

.PHONY: bench-hot-path
bench-hot-path: $(DEV) ## Measure POST /v1/actions against its rival (docs/performance.md)
	$(BIN)/python -m bench.hot_path

.PHONY: versions
versions: $(DEV) ## Print what the tests run on
	@tools/system-packages.sh tests
	@$(BIN)/python --version
	@/usr/lib/postgresql/15/bin/postgres --version
	@"$$($(BIN)/python -c 'from twinlock.adapters.postgres import wheel_binaries; print(wheel_binaries())')/postgres" --version
	@/usr/bin/chromium --version 2>/dev/null
	@go version
	@$(BIN)/python -m pip freeze --exclude-editable

.PHONY: clean
clean: ## Remove the environment and everything that was made from the sources
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache htmlcov
	rm -rf var dist mutants .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
