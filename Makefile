.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export ORCH_RUNS_DIR ?= $(CURDIR)/runs

.PHONY: help
help:  ## Say what can be made
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/orch: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "orch needs Python 3.10 or newer: make PYTHON=/path/to/python3 …" >&2; exit 3; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); docker/venv.sh $(PYTHON) && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/pip install --quiet --editable .
	@$(BIN)/python -m compileall -q orchestrator  # as pip does with what it copies; what is edited is compiled anew
	@touch $@

$(VENV)/test: $(BIN)/orch
	@$(BIN)/pip install --quiet --editable '.[test,lint]'
	@touch $@

.PHONY: install
install: $(BIN)/orch  ## Install orch into .venv

.PHONY: engine
engine:  ## Install and start a Docker engine if none answers
	@docker/engine.sh

.PHONY: images
images: engine  ## Build the images of each landing that are not there: vLLM on CPU, other versions' clients, the test stub
	@$(PYTHON) docker/build.py all

.PHONY: versions
versions: $(VENV)/test images  ## Try every vLLM version, not only those of each landing (an hour, 55 GB); V=0.9.2 tries one
	@$(PYTHON) docker/build.py $(if $(V),cpu --vllm-version $(V),versions) >/dev/null
	@$(BIN)/python -m pytest -m e2e tests/e2e/test_versions.py $(if $(V),-k '[$(V)]') $(ARGS)

.PHONY: demo
demo: $(BIN)/orch engine  ## The whole job on this machine's CPU: real vLLM, a sweep, a table and a CSV
	@$(PYTHON) docker/build.py cpu >/dev/null
	@$(BIN)/orch run cpu-tiny

.PHONY: kill-matrix
kill-matrix: $(VENV)/test images  ## Kill orch N=1000 times at random moments and count what is left behind
	@$(BIN)/python tests/engine/kill_matrix.py --kills $(or $(N),1000)

.PHONY: test
test: $(VENV)/test images  ## Run all tests of each landing: unit, engine, command line, end to end with real vLLM
	@$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=95 $(ARGS)

.PHONY: unit
unit: $(VENV)/test  ## Run the tests that need no engine
	@$(BIN)/python -m pytest tests/unit tests/golden $(ARGS)

.PHONY: lint
lint: $(VENV)/test  ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: generated
generated: $(VENV)/test  ## Write the files that derive from the code: JSON Schema and reference pages
	@$(BIN)/python -m orchestrator.profile.docs.jsonschema > orchestrator/profile/docs/profile.schema.json
	@$(BIN)/python -m orchestrator.profile.docs.reference > docs/profile.md
	@$(BIN)/python -m orchestrator.diagnosis.reference > docs/causes.md
	@$(BIN)/python -m orchestrator.cli.reference > docs/cli.md
	@$(BIN)/python -m orchestrator.metrics.reference docs/metrics.md
	@$(BIN)/python tests/golden/make.py --schemas

BENCHMARKS := telemetry_cost startup_overhead failure_latency sweep_overhead same_numbers reading_results
.PHONY: benchmarks
benchmarks: $(BIN)/orch images  ## Measure what orch itself costs, and whether its figures are those taken by hand (an hour)
	@set -e; for name in $(BENCHMARKS); do echo "# $$name"; $(BIN)/python benchmarks/$$name.py; done

.PHONY: clean
clean:  ## Remove what was installed and measured here; images stay
	@rm -rf $(VENV) runs .coverage* .mypy_cache .ruff_cache .pytest_cache
