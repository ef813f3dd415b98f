# `make demo` and `make test` set up all they need in .venv, the first time.

VENV := .venv
BIN := $(VENV)/bin

# The first Python that is new enough. A name alone is not proof: it is asked for its version.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	echo $$python && break; done)

.PHONY: demo test test-slow test-all lint docs distribution clean

demo: $(VENV)/.installed
	$(BIN)/spikeweft demo demo --force
	@echo
	@echo "The report is $(CURDIR)/demo/report.html; open it in a browser."

# Two workers: most tests keep one core busy. A file stays with one worker, so what its tests share
# is fitted once.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

# Before every commit: whatever takes little time, with types and shapes checked on every call.
test: $(VENV)/.installed-dev
	$(PYTEST) -m "not slow"

# What `make test` leaves out, and property tests with many examples.
test-slow: $(VENV)/.installed-dev
	$(PYTEST) -m "slow or hypothesis"

# Both, each test once.
test-all: $(VENV)/.installed-dev
	$(PYTEST)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyrefly check
	$(BIN)/lint-imports

# Every page is executed, so it agrees with the code; a warning is an error.
docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -E -a -q docs docs/_build/html
	@echo "The documentation is $(CURDIR)/docs/_build/html/index.html; open it in a browser."

# The wheel in empty environments, with the newest and the oldest versions of what it needs.
distribution: $(VENV)/.installed-dev
	.ci/distribution

clean:
	rm -rf $(VENV) demo demo.npz demo.partial build dist docs/_build docs/api/generated
	rm -rf .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: set-up is repeated only where pyproject.toml is newer.
$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	@echo "Installing what spikeweft needs into $(VENV): once, it takes a minute or more"
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	@echo "Installing what spikeweft and its tests need into $(VENV): once, it takes a minute or more"
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $(VENV)/.installed $@

$(VENV)/.installed-docs: pyproject.toml | $(BIN)/pip
	@echo "Installing what the documentation needs into $(VENV): once, it takes a minute or more"
	$(BIN)/pip install --quiet --editable '.[dev,docs]'
	@touch $(VENV)/.installed $(VENV)/.installed-dev $@

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "spikeweft needs Python 3.11 or newer; install it" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
