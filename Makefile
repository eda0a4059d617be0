# One door for everything. `make run` and `make test` set the machine up themselves.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PORT ?= $(or $(LANCELOT_PORT),8501)

.PHONY: help setup run test check bench drill fuzz done sbom audit notebooks lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready ## create .venv and install the pinned packages

.venv/.ready: requirements-build.lock requirements.lock pyproject.toml
	@bash scripts/setup.sh $(PYTHON) run

.venv/.ready-dev: .venv/.ready requirements-dev.lock
	@bash scripts/setup.sh $(PYTHON) dev

run: .venv/.ready ## start the console on http://localhost:8501
	@$(BIN)/streamlit run console --server.address 127.0.0.1 --server.port $(PORT) --server.headless true

test: .venv/.ready-dev ## all tests that belong to every change (under 25 minutes on 2 cores)
	@bash scripts/test.sh

check: .venv/.ready-dev ## format, lint, types, layers
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/pytest -q -p no:randomly tests/test_layers.py tests/test_public_names.py

bench: .venv/.ready-dev ## the benchmarks: ratios measured in one run
	@LANCELOT_REAL_MODEL=1 $(BIN)/python -m pytest tests/bench -m bench -q -s -p no:randomly --timeout 3600

drill: .venv/.ready-dev ## kill, cut off and fill up everything; writes docs/reliability.md
	@$(BIN)/python -m tests.faults.drill_onboarding --write docs/reliability.md
	@RECEIPT_KILLS=50 $(BIN)/python -m pytest -q -p no:randomly --timeout 3600 tests/faults/test_receipts_kill.py
	@$(BIN)/python -m tests.faults.drill --write docs/reliability.md

fuzz: .venv/.ready-dev ## property tests and random input, far longer than in `make test`
	@LANCELOT_FUZZ_EXAMPLES=$(or $(HTTP),750) $(BIN)/python -m pytest -q -p no:randomly --timeout 7200 tests/fuzz/test_http.py
	@LANCELOT_FUZZ_EXAMPLES=$(or $(EXAMPLES),5000) $(BIN)/python -m pytest -q -p no:randomly --timeout 7200 \
		tests/fuzz/test_files.py tests/redaction/test_redactor_properties.py tests/redaction/test_stream.py

done: .venv/.ready-dev ## every promise with the check that proves it
	@$(BIN)/python -m tests.done

sbom: .venv/.ready-dev ## bill of materials (CycloneDX) into build/sbom.json
	@mkdir -p build && bash scripts/sbom.sh && echo build/sbom.json

audit: .venv/.ready-dev ## known weaknesses of the pinned packages, where the database is reachable
	@bash scripts/audit.sh

notebooks: .venv/.ready ## open the analyst notebooks beside the running console
	@$(BIN)/python -m pip install -q --require-hashes -r requirements-notebooks.lock && $(BIN)/jupyter lab notebooks

lock: ## rewrite the lock files from pyproject.toml (needs uv)
	@bash scripts/lock.sh

clean: ## remove .venv (your data stays)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
