# Learners need `make today`. Whoever changes something needs `make test` and `make lint` too: CONTRIBUTING.md.
# Every target installs what it needs into .venv first.
# PIP_ARGS is handed to every pip call, for example a package index that serves torch's CPU build.
PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --constraint constraints.txt
PYTEST_ARGS ?= -n 2 --dist loadfile

.PHONY: today decks check test test-wheel test-lowest test-pythons lint types bench soak dist site clean

today: decks
	@$(BIN)/llmdrills today --no-input

decks: $(VENV)/.installed
	@$(BIN)/llmdrills build --brief

check: $(VENV)/.installed
	$(BIN)/llmdrills check

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# Against what ships: sdist, wheel from it, an environment of its own. CI runs `test`, and a part of this.
FROM_WHEEL = $(BIN)/python tests/from_wheel.py --pip-args "$(PIP_ARGS)" --python $(PYTHON)
test-wheel: $(VENV)/.installed-build
	$(FROM_WHEEL) -- $(PYTEST_ARGS)

# The lowest versions that pyproject.toml allows. UV_ARGS: a package index, in uv's words.
test-lowest: $(VENV)/.installed-build
	$(FROM_WHEEL) --lowest --uv-args "$(UV_ARGS)" -- $(PYTEST_ARGS)

# Every Python that is there, with the newest versions; where torch is not to be had: TORCH=--no-torch.
PYTHONS ?= $(foreach version,3.11 3.12 3.13 3.14,$(shell python$(version) -c 'import sys; print(sys.executable)' 2>/dev/null))
test-pythons: $(VENV)/.installed-build
	@test -n "$(PYTHONS)" || { echo "no python3.11 … python3.14 on PATH: name them with PYTHONS=" >&2; exit 2; }
	set -e; for python in $(PYTHONS); do \
	  $(BIN)/python tests/from_wheel.py --pip-args "$(PIP_ARGS)" --python $$python --unpinned $(TORCH) -- $(PYTEST_ARGS); done

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test $(VENV)/.installed-bench
	ANKI_YAML_TOOL=$(CURDIR)/$(VENV)/anki-yaml-tool $(BIN)/python -m benchmarks

dist: $(VENV)/.installed-build
	$(BIN)/python tests/from_wheel.py --dist dist

site: $(VENV)/.installed-test # no window opens and nothing is served: build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

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

$(VENV)/.installed-build: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP) hatchling
	@sh tests/install-browser.sh
	@touch $@

# The tool that the build is measured against: kept apart, because nothing of ours depends on it.
$(VENV)/.installed-bench: $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --target $(VENV)/anki-yaml-tool anki-yaml-tool==0.4.0
	@touch $@

# Neither torch nor the tests: what is looked at is the source.
$(VENV)/.installed-lint: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP) --editable . --group lint
	@touch $@
