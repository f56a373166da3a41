# Everything runs in .venv, which the first target that needs it makes; a second run installs nothing.
# Needs Python 3.11 or newer with pip and venv, and nothing else.

PYTHON ?= python3
ifeq ($(OS),Windows_NT)
SHELL := bash
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt --editable
FILES_TO_LABELS := $(BIN)/python benchmarks/files_to_labels.py --folder build/benchmarks
SPHINX := $(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet --builder html

LOWEST := build/lowest
LOWEST_TESTS := $(addprefix tests/,architecture bundle catalog graph images storage weights) \
	$(addprefix tests/cli/test_,describe_command.py models_command.py predict_command.py)

.PHONY: demo test test-all lowest browser soak bench lint docs clean help

help:
	@echo "make demo      classify examples/cat.png with the model that comes with the package (no PyTorch)"
	@echo "make test      the tests that a newcomer runs"
	@echo "make test-all  all tests that fit in an hour, compared with timm, torchvision and transformers"
	@echo "make lowest    tests of the core, with the lowest versions that pyproject.toml allows"
	@echo "make browser   open reports in Chromium, which is installed where it is missing (Debian, as root)"
	@echo "make soak      hundreds of runs in a row, a hundred thousand files (long)"
	@echo "make bench     compare with timm and others, and write docs/reference/benchmarks.md (an hour)"
	@echo "make lint      format, style, types, layers, and the documentation built with warnings as errors"
	@echo "make docs      the documentation, in docs/_build/html"
	@echo "make clean     remove .venv and the built documentation"

demo: .venv/core
	$(BIN)/regnety predict examples/cat.png

test: .venv/test
	$(BIN)/python -m pytest

test-all: .venv/peers lowest
	$(BIN)/python -m pytest -m "not soak"

lowest: $(LOWEST)/installed
	$(LOWEST)/$(notdir $(BIN))/python -m pytest --core -p no:cacheprovider $(LOWEST_TESTS)

browser: .venv/browser
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
		{ apt-get update --quiet && apt-get install --quiet --yes chromium; }
	$(BIN)/python -m pytest -m "not soak" tests/browser

soak: .venv/test
	$(BIN)/python -m pytest -m soak

bench: .venv/peers
	mkdir -p benchmarks/results
	$(FILES_TO_LABELS) --output benchmarks/results/files_to_labels-1-002.json
	$(FILES_TO_LABELS) --size 4000x3000 --count 100 --output benchmarks/results/files_to_labels-2-002-large.json
	$(FILES_TO_LABELS) --model regnety_040 --count 300 --output benchmarks/results/files_to_labels-3-040.json
	$(BIN)/python benchmarks/same_answers.py build/benchmarks/regnety_002-bundle build/benchmarks/1000x500x375 \
		--least 200 --size 500x375 --output benchmarks/results/same_answers-1-002.json
	$(BIN)/python benchmarks/model_alone.py --output benchmarks/results/model_alone.json
	$(BIN)/python benchmarks/report.py benchmarks/results docs/reference/benchmarks.md

lint: .venv/lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(SPHINX) docs docs/_build/html

docs: .venv/docs
	$(SPHINX) docs docs/_build/html

clean:
	rm -rf .venv $(LOWEST) docs/_build

.venv/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'regnety needs Python 3.11 or newer')"
	$(PYTHON) -m venv .venv
	@touch $@

.venv/core: .venv/python pyproject.toml constraints.txt
	@echo "installing regnety"
	@$(INSTALL) .
	@touch $@

.venv/test: .venv/python pyproject.toml constraints.txt
	@echo "installing regnety, PyTorch and the test tools"
	@$(INSTALL) ".[test]"
	@touch $@

.venv/peers: .venv/python pyproject.toml constraints.txt
	@echo "installing regnety, PyTorch, the test tools, and timm, torchvision and transformers for comparison"
	@$(INSTALL) ".[test,peers]"
	@touch $@

.venv/browser: .venv/python pyproject.toml constraints.txt
	@echo "installing regnety, PyTorch, the test tools, and Playwright and axe"
	@$(INSTALL) ".[test,browser]"
	@touch $@

$(LOWEST)/installed: pyproject.toml tests/lowest_versions.py
	@echo "installing regnety with the lowest versions that it allows"
	@rm -rf $(LOWEST)
	@$(PYTHON) -m venv $(LOWEST)
	@$(PYTHON) tests/lowest_versions.py > $(LOWEST)/constraints.txt
	@$(LOWEST)/$(notdir $(BIN))/python -m pip --disable-pip-version-check install --quiet \
		--constraint $(LOWEST)/constraints.txt --editable . pytest hypothesis safetensors
	@touch $@

.venv/docs: .venv/python pyproject.toml constraints.txt
	@echo "installing regnety, PyTorch and the documentation tools"
	@$(INSTALL) ".[docs]"
	@touch $@

.venv/lint: .venv/python pyproject.toml constraints.txt
	@echo "installing regnety, PyTorch, the test tools, the linters and the documentation tools"
	@$(INSTALL) ".[lint]"
	@touch $@
