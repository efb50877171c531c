# Every target works in `.venv`, which is made from requirements/dev.txt when it is missing or old.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
# Half the tests' time is waiting for other processes, so one worker more than two cores pays.
JOBS ?= 3
PY := .venv/bin/python
READY := .venv/.installed
UV := uv==0.9.*

# The demo shows this checkout's own default targets, whatever the shell points at.
DEMO := env -u DATABASE_URL -u QDRANT_HOST -u QDRANT_API_KEY $(PY)
EMBEDDED := --qdrant-host embedded
PIN := $(PY) -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --python-version 3.11

.PHONY: help demo test preflight check bench soak serve down docs fmt lock

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## Index this repository's own ledgers, twice, and search them
	$(DEMO) -m flows.sot_sync --full --execute $(EMBEDDED)
	@echo "--- again: a second run finds nothing to write"
	$(DEMO) -m flows.sot_sync --full --execute $(EMBEDDED)
	@echo "--- search"
	$(DEMO) -m flows.sot_search "why is a decision never renumbered" $(EMBEDDED)

test: $(READY) ## Run every test; ARGS="-k word" narrows
	$(PY) -m pytest --numprocesses $(JOBS) --dist worksteal $(ARGS)

preflight: $(READY) ## Run the quick checks of preflight.toml; ARGS="--tier full" runs more
	$(PY) -m flows.preflight $(ARGS)

check: $(READY) ## What CI runs: every check of preflight.toml, the tests among them
	$(PY) -m flows.preflight --tier ci

bench: $(READY) ## Print every ratio against its baseline, measured in the same run
	@set -e; for script in benchmarks/[a-z]*.py; do \
		if [ ! -e "$$script" ]; then echo "no benchmarks yet"; break; fi; \
		name=$${script##*/}; echo "--- $${name%.py}"; $(PY) -m "benchmarks.$${name%.py}" $(ARGS); \
	done

soak: $(READY) ## Run the crash and race harnesses at their nightly size
	AUTOPACK_SOAK=1 $(PY) -m pytest -m soak $(ARGS)

serve: $(READY) ## Serve every deployment until Ctrl-C, its Prefect server included; WORKSPACE=PATH
	@$(PY) -m deployments.serve $(if $(WORKSPACE),--workspace '$(WORKSPACE)')

down: $(READY) ## Stop what `make serve` started, its Prefect server included
	@$(PY) -m deployments.server stop

docs: $(READY) ## Build the documentation as a site, into site/
	$(PY) -m deployments.reference
	$(PY) -m zensical build --strict

fmt: $(READY) ## Format, and mend what the linter can mend
	$(PY) -m ruff format
	$(PY) -m ruff check --fix

lock: $(READY) ## Pin requirements/*.txt from pyproject.toml; ARGS=--upgrade moves them
	$(PY) -m pip install --quiet --disable-pip-version-check '$(UV)'
	$(PIN) $(ARGS) --output-file requirements/runtime.txt pyproject.toml
	$(PIN) $(ARGS) --extra machines --output-file requirements/machines.txt pyproject.toml
	$(PIN) $(ARGS) --extra dev --output-file requirements/dev.txt pyproject.toml

# The pins are constraints as well: a pin of `name` does not bind `name[extra]`, a constraint does.
# A broken or half-made environment is made again; the stamp comes last, so an interrupted
# installation leaves none.
$(READY): requirements/dev.txt
	@rm -f $@
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is older or missing: make PYTHON=python3.12" >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
		exit 1; }
	@$(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		"$(PYTHON)" -m venv --clear .venv
	@echo "Installing requirements/dev.txt into .venv (minutes the first time)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $< -c $<
	@touch $@
