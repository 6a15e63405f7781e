# Everything here starts from Python >= 3.11, git, make and the package indexes alone, and works
# again when run again: what is installed is recorded in stamp files inside the environment.

# The newest Python here that can make an environment (3.12 and newer get Django 6).
PYTHON ?= $(shell for p in python3.13 python3.12 python3 python3.11 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python sample_project/manage.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Two workers, each with servers of its own.
PYTEST_ARGS ?= -n 2
SOAK_MINUTES ?= 30
# The sample project's store (database or jetstream), and a file of events to import instead of
# seeding.
STORE ?=
DATA ?=
ADDRESS ?= 127.0.0.1:8000
sample = $(if $(STORE),SAMPLE_STORE=$(STORE)) $(MANAGE)

.PHONY: help demo run test lint format types bench screenshots soak docs dist clean
.DEFAULT_GOAL := help

help: ## Show what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

$(VENV)/made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	touch $@

# uv puts an environment together in seconds where pip takes a minute; pip knows proxies and
# certificates that it does not.
install = $(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[$(1)]' \
	|| $(BIN)/python -m pip install --quiet -e '.[$(1)]'

$(VENV)/sample: $(VENV)/made pyproject.toml
	$(call install,sample)
	touch $@

$(VENV)/dev: $(VENV)/made pyproject.toml
	$(call install,dev)
	touch $@ $(VENV)/sample

demo: $(VENV)/sample ## Migrate, seed and replay the sample project [STORE=jetstream] [DATA=file.ndjson]
	@$(sample) demo $(if $(DATA),--data '$(DATA)')

run: $(VENV)/sample ## Serve the sample project [STORE=jetstream] [ADDRESS=127.0.0.1:8000]
	@$(sample) runserver $(ADDRESS)

test: lint types docs ## Check everything, and run every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/dev ## Check style, format and which way imports run
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(VENV)/dev ## Put style and format right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/dev ## Check the types
	$(BIN)/mypy

bench: $(VENV)/dev ## Measure against the bare drivers and a peer
	$(BIN)/python -m benchmarks

screenshots: $(VENV)/dev ## Make the documentation's pictures of the admin
	$(BIN)/python -m docs.screenshots

soak: $(VENV)/dev ## Check histories under faults for long [SOAK_MINUTES=30]
	$(BIN)/python -m tests.soak --minutes $(SOAK_MINUTES)

docs: $(VENV)/dev ## Build the documentation; a warning is an error
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build/html

dist: $(VENV)/dev ## Build the wheel and the source archive
	$(BIN)/python -m hatchling build

clean: ## Remove the environment and everything built
	rm -rf $(VENV) .tox build dist docs/_build .mypy_cache .pytest_cache .ruff_cache
