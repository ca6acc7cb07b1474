# Every target sets up what it needs: a virtual environment in .venv, from the hashed lock. A second run sets up nothing.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow coverage lint format api contract stubs wheels lock docs bench-quality bench-speed clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OURS := weaklabel weaklabel-server weaklabel-client weaklabel-protocol
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What measures the lines: sys.monitoring where Python has it, which costs next to nothing.
COVERAGE_CORE = $(shell $(BIN)/python -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")')

# Programs that XLA optimizes, as users have them, where tests/conftest.py has them compiled for less.
OPTIMIZED := XLA_FLAGS=--xla_cpu_parallel_codegen_split_count=1

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(READY): requirements.lock pyproject.toml server/pyproject.toml clients/python/pyproject.toml protos/python/pyproject.toml
	@echo "Setting up $(VENV) (some minutes, once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "weaklabel needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(PIP_INSTALL) --no-build-isolation --no-deps -e protos/python -e server -e clients/python -e .
	@touch $@

setup: $(READY) ## install everything into .venv

demo: $(READY) ## the main job on real data: functions in, soft labels out, through a real server
	@$(BIN)/python examples/demo.py

test: $(READY) ## the tests, but for those that are marked slow
	@$(BIN)/python -m pytest -m "not slow"

test-slow: $(READY) ## the slow ones: many kills, large inputs, whole machines
	@$(OPTIMIZED) $(BIN)/python -m pytest -m slow

coverage: $(READY) ## all tests, then the share of the lines that they ran: make coverage [ARGS="tests/model"]
	@$(BIN)/coverage erase
	@$(OPTIMIZED) COVERAGE_CORE=$(COVERAGE_CORE) $(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage combine --quiet
	@for folder in weaklabel server/weaklabel_server clients/python/weaklabel_client protos/python/weaklabel_protocol; do \
	  printf '%-40s %s %%\n' $$folder "$$($(BIN)/coverage report --format=total --include="$$folder/*")"; \
	done

lint: $(READY) ## ruff, types, contract
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/buf lint
	@$(BIN)/buf breaking --against protos/weaklabel-v1.binpb

format: $(READY) ## let ruff put the code in form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

api: $(READY) ## write the snapshot of the public API anew, tests/golden/public_api.txt
	@$(BIN)/python tests/test_public_api.py

contract: $(READY) ## at a release: later changes of protos/ must be compatible with those of today
	@$(BIN)/buf build --exclude-source-info -o protos/weaklabel-v1.binpb

stubs: $(READY) ## generate the client's stubs from protos/
	@$(BIN)/python protos/python/generate_stubs.py

bench-quality: $(READY) ## label quality on a folder of vote matrices: make bench-quality DATA=folder [ARGS="--resample 20"]
	@test -n "$(DATA)" || { echo "say where the data is: make bench-quality DATA=folder"; exit 2; }
	@$(BIN)/python benchmarks/quality.py $(DATA) $(ARGS)

bench-speed: $(READY) ## speed and memory on simulated votes: make bench-speed [ARGS="--peers-python peers/bin/python"]
	@$(BIN)/python benchmarks/speed.py $(ARGS)

wheels: $(READY) ## build the wheels of all four distributions into dist/
	@rm -rf dist
	@for folder in protos/python . server clients/python; do \
	  $(BIN)/python -m build --wheel --no-isolation --outdir dist $$folder >/dev/null || exit 1; \
	done
	@ls dist

UV ?= uv

COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --no-header --python-version 3.11 $(OURS:%=--no-emit-package %)

docs: $(READY) ## the documentation site, into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --site-dir site
	@echo "site/index.html"

lock: ## resolve the locks anew, versions kept where they can be (needs uv)
	@$(COMPILE) --group dev --extra all --extra demo pyproject.toml -o requirements.lock
	@$(COMPILE) -c requirements.lock --extra metrics --extra postgresql --extra prompts --extra tracing \
	  server/pyproject.toml -o deploy/requirements.lock
	@printf '%s\n' 'build>=1.2' 'editables>=0.5' 'hatchling>=1.27' | $(COMPILE) -c requirements.lock - -o deploy/build.lock

clean: ## remove the environment and what was built
	rm -rf $(VENV) build dist site demo-output .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
