# Learners need `make today`. Whoever changes something needs `make test` and `make lint` too: CONTRIBUTING.md.
# Every target installs what it needs into .venv first.
# PIP_ARGS is handed to every pip call, for example a package index that serves torch's CPU build.
PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --constraint constraints.txt
PYTEST_ARGS ?= -n 2 --dist loadfile

.PHONY: today decks check test lint types bench soak site clean

today: decks
	@$(BIN)/llmdrills today --no-input

decks: $(VENV)/.installed
	@$(BIN)/llmdrills build --brief

check: $(VENV)/.installed
	$(BIN)/llmdrills check

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test $(VENV)/.installed-bench
	ANKI_YAML_TOOL=$(CURDIR)/$(VENV)/anki-yaml-tool $(BIN)/python -m benchmarks

site: $(VENV)/.installed-test # no window opens and nothing is served: build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

soak: $(VENV)/.installed-test
	$(BIN)/llmdrills check --seeds 50 --jobs 2
	LLMDRILLS_KILLS=300 LLMDRILLS_HISTORIES=500 $(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache

# A stamp per set of packages: a second run of any target installs nothing.
$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "llmdrills needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --upgrade 'pip>=25.1' # dependency groups
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing llmdrills and torch into $(VENV): a few minutes the first time." >&2
	$(PIP) --editable '.[torch]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --group test --group docs
	@sh tests/install-browser.sh
	@touch $@

# The tool that the build is measured against: kept apart, because nothing of ours depends on it.
$(VENV)/.installed-bench: $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --target $(VENV)/anki-yaml-tool anki-yaml-tool==0.4.0
	@touch $@

$(VENV)/.installed-lint: $(VENV)/.installed
	$(PIP) --group lint
	@touch $@
