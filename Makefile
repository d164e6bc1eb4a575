# Every target prepares what it needs; a second call prepares nothing. `make` alone lists them.
#
# Settings are variables (docs/install.md): `make run PORT=9000 REDIS_URL=rediss://redis:6380/0`.
# Make passes its own command line on in the environment. Secrets belong into the environment or
# `.env`, where no `$` is expanded and no other user reads them.

PYTHON ?= python3
HERE := $(shell cd "$$(dirname "$(strip $(MAKEFILE_LIST))")" && pwd)
IN := cd "$(HERE)" &&
PREPARE = $(IN) { command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	echo "\`$(PYTHON)\` is not on PATH: install Python 3.11 or later, or name it with PYTHON=..." >&2; exit 2; }; } \
	&& "$(PYTHON)" dashboard/run/prepare.py
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run dev test lint bench clean

help: ## list the commands
	@$(IN) sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile
	@echo
	@echo "  Settings are variables, for example: make run PORT=9000 REDIS_URL=redis://localhost:6379/0"

run: ## the console with all it needs; Ctrl-C stops it and keeps the data
	@$(PREPARE) run
	@$(IN) exec $(VENV)/python -m dashboard.run --follow-parent

dev: ## the same, with reload on change and tracebacks
	@$(PREPARE) run
	@$(IN) exec $(VENV)/python -m dashboard.run --follow-parent --dev

test: ## lint, types, then every test: library, pages, browser, faults
	@$(PREPARE) test
	@$(IN) $(VENV)/python dashboard/run/verify.py lint test

lint: ## ruff, mypy and the import rules alone
	@$(PREPARE) lint
	@$(IN) $(VENV)/python dashboard/run/verify.py lint

bench: ## every benchmark, or one: make bench CLAIM=keys_page
	@$(PREPARE) test
	@$(IN) $(VENV)/python -m pip install --quiet --requirement benchmarks/requirements.txt
	@$(IN) $(VENV)/python dashboard/run/verify.py bench

clean: ## remove what can be made again: packages and static files, never data
	@$(IN) rm -rf .venv node_modules staticfiles .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis test-results
	@$(IN) find dashboard redisops demo tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
