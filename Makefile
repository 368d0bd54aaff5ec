# Two commands do everything: `make demo` and `make test`. Both create the environment if it is missing.

VENV   := .venv
PY     := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export SOLCX_BINARY_PATH := $(CURDIR)/$(VENV)/solc

# The first of these that really is Python 3.11 or 3.12: numpy 1.26, the newest that ape accepts, ends there.
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := help
.PHONY: help setup compile demo test fuzz gas times bench chain simulate campaign lint fmt lock clean distclean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

# -------------------------------------------------------------------------------------- environment

setup: $(STAMPS)/package $(STAMPS)/links compile ## Create the environment and compile the contracts

$(STAMPS)/python: requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 with venv is needed; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/package: pyproject.toml $(STAMPS)/python
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/node: package-lock.json package.json .npmrc
	@command -v npm >/dev/null || { echo "Node.js 20 or newer with npm is needed" >&2; exit 1; }
	npm ci --silent
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/links: $(STAMPS)/python $(STAMPS)/node $(wildcard scripts/toolchain/link.py scripts/toolchain/ape scripts/toolchain/solc-v*)
	$(PY) scripts/toolchain/link.py
	@touch $@

compile: $(STAMPS)/package $(STAMPS)/links
	@$(PY) scripts/toolchain/compile.py

# ---------------------------------------------------------------------------------------- the work

demo: setup ## Run a real market on Anvil from sealed orders to a proven batch
	$(PY) scripts/demo.py

test: setup ## Run all tests
	$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

fuzz: setup ## Run the properties on new examples, again and again (ROUNDS=20)
	@for round in $$(seq $(or $(ROUNDS),20)); do seed=$$(od -An -N4 -tu4 /dev/urandom | tr -d ' '); \
		echo "round $$round, seed $$seed"; \
		$(PY) -m pytest -q -n 2 --hypothesis-profile=fuzz --hypothesis-seed=$$seed tests/property $(ARGS) || exit 1; done

gas: setup ## Measure gas; write snapshots/gas.json and the README's table
	$(PY) scripts/gas.py $(ARGS)

times: setup ## Measure the unsealing and a batch of 500 auths; write snapshots/times.json and the README's table
	$(PY) scripts/times.py $(ARGS)

bench: setup ## Measure the clearing engine beside other solvers
	$(PY) -m benchmarks $(ARGS)

chain: setup ## Measure whole batches on Anvil (ARGS="--accounts 200 --auths 10 --standing --batches 3")
	$(PY) -m benchmarks.chain $(ARGS)

simulate: setup ## Simulate a day of trading (ARGS="--agents thin --seed 7")
	$(VENV)/bin/walras simulate $(ARGS)

campaign: setup ## Measure the figures of docs/SIMULATION.md again (takes a while)
	$(PY) -m scripts.simulate_campaign $(ARGS)

lint: setup ## Check style and types of Python and Solidity
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	forge fmt --check contracts
	node_modules/.bin/solhint --config .solhintrc.yaml --disc --noPoster --max-warnings 0 'contracts/**/*.sol'

fmt: setup ## Format Python and Solidity
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix-only --quiet .
	forge fmt contracts

lock: ## Write requirements.txt and package-lock.json again (needs uv; ARGS=--upgrade for newer versions)
	scripts/toolchain/lock.sh $(ARGS)

clean: ## Remove what was built from the sources
	rm -rf build .build .pytest_cache .mypy_cache .ruff_cache .hypothesis offchain/walras/chain/artifacts
	find offchain scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the environment too
	rm -rf $(VENV) node_modules offchain/*.egg-info
