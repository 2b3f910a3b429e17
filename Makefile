# make demo               a phantom MRI, analysed by the shipped committee
# make demo IMAGE=path    your own image: DICOM folder or file, NIfTI, NRRD or MetaImage
# make test               style and tests
# make lint               style alone
# make format             mend the style
# make benchmark          seconds and memory of a 320 × 320 × 20 volume
# make clean              remove what the others made
#
# Everything is installed into .venv on first use. PYTHON chooses the interpreter (3.10 or later), TORCH what pip is
# asked for, for example: make demo TORCH="torch --index-url https://download.pytorch.org/whl/cpu"; TESTERS how many
# processes share the tests.

PYTHON ?= python3
TORCH ?= torch==2.13.0
IMAGE ?=
OUT ?= demo
TESTERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint format benchmark clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "SpineQuant needs Python 3.10 or later; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV) (once; some minutes)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) $(TORCH)
	$(PIP) --editable '.[engine,dicom,mrml,dev]'
	@touch $@

demo: $(STAMP)
ifeq ($(strip $(IMAGE)),)
	$(BIN)/spinequant demo --output "$(OUT)"
else
	$(BIN)/spinequant analyze "$(IMAGE)" --output "$(OUT)/image" --overwrite
endif

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadgroup

benchmark: $(STAMP)
	$(BIN)/python Testing/benchmarks/run_benchmark.py

clean:
	rm -rf $(VENV) demo build dist .ruff_cache .hypothesis .import_linter_cache
	find SpineQuant SpineQuantLib Testing -name __pycache__ -type d -prune -exec rm -rf {} +
