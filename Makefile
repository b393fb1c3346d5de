# make run    set everything up and protect this host          make test   set everything up and pass every test
# make demo   play the attack without and with Pratique        make bench  print the ratios of docs/performance.md
# make check  format, lint, types, layers, shell, C            make lock   renew the hashed lock files
# make assets renew the console's libraries (needs Node)       make screenshots  the pictures of docs/console.md
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
PYTHON := $(VENV)/bin/python
PYTEST := $(VENV)/bin/pytest
# For the oldest Python that is supported, not for the one that happens to run here: Debian 12 has 3.11.2.
COMPILE := $(VENV)/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11.0 pyproject.toml

.PHONY: help system venv bpf setup run demo test check format bench lock assets screenshots clean

help:
	@sed -n '1,4p' Makefile

system:
	@packaging/install-system-packages

$(VENV)/.installed: requirements/dev.lock pyproject.toml
	@echo "== Python packages into $(VENV) (requirements/dev.lock, hashes checked)"
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(PYTHON) -m compileall -q $(VENV)/lib src || true
	@touch $@

venv: $(VENV)/.installed
	@:

bpf:
	@$(MAKE) --no-print-directory -C bpf PYTHON=../$(PYTHON)

setup: system
	@$(MAKE) --no-print-directory venv
	@$(MAKE) --no-print-directory bpf

run: setup
	@$(VENV)/bin/pratique up --start-engine

demo: setup
	@$(PYTHON) -m testbed.demo

test: setup check
	@$(PYTEST)

check: venv
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet --site-dir build/site
	shellcheck packaging/install-system-packages .ci/run integrations/github/*.sh
	clang-format --dry-run --Werror bpf/*.bpf.c bpf/include/pratique/*.h

format: venv
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	clang-format -i bpf/*.bpf.c bpf/include/pratique/*.h

bench: setup
	@$(PYTHON) -m benchmarks

lock: venv
	@$(PYTHON) -m pip install --quiet uv
	@$(COMPILE) -o requirements/run.lock
	@$(COMPILE) --group dev -o requirements/dev.lock

assets:
	cd packaging/assets && npm ci --ignore-scripts --no-audit --no-fund --silent && node vendor.mjs && rm -rf node_modules

screenshots: setup
	@$(PYTHON) -m testbed.screenshots

clean:
	rm -rf $(VENV) bpf/build src/pratique/sensor/objects/*.blob .mypy_cache .ruff_cache .pytest_cache
