# gen2dft: `make` lists what there is to do. Every target sets up what it needs and can be run again.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What you may set, as in `make demo PYTHON=python3.12`.
# The interpreter, 3.11 to 3.13; empty: the first that is found.
PYTHON ?=
# The PyTorch to install, and further options for pip in that step: a CPU or a CUDA build, see the README.
TORCH ?= torch==2.13.0
TORCH_ARGS ?=
# Further options for every call of pip.
PIP_ARGS ?=
# Further options for pytest, as in `make test PYTEST_ARGS="tests/store -x"`.
PYTEST_ARGS ?=
# Damaged inputs of each entry point in `make fuzz`, and the seed they are drawn with.
N ?= 1000
SEED ?= 1

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.gen2dft-ready
DEMO := $(CURDIR)/demo

export PYTHON TORCH TORCH_ARGS PIP_ARGS VENV

.PHONY: help env demo demo-dft figures docs test fuzz lint format types check lock gpaw transport clean clean-demo clean-env

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: $(STAMP)  ## set up the environment in .venv (3.5 GB; minutes, once)

$(STAMP): requirements.lock pyproject.toml
	@scripts/setup_env.sh
	@touch $@

demo: env  ## run the thermoelectric campaign on the starter set and write its report (under 10 minutes)
	@scripts/demo.sh "$(DEMO)"

demo-dft: gpaw demo  ## the demo, then power factors of its three cheapest hits that are no metals, by DFT (GPAW)
	@scripts/demo.sh "$(DEMO)" power-factor

figures: env  ## draw the README's figures anew from the finished demo (screenshots need a Chromium)
	@$(BIN)/python scripts/figures.py "$(DEMO)"

docs: env  ## build the documentation as a site in build/site; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "open build/site/index.html, or serve it: $(BIN)/python -m http.server -d build/site"

test: env  ## run the tests
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

fuzz: env  ## put N=1000 damaged inputs through each entry point (half an hour); tables in build/fuzz
	@PYTHONPATH=. $(BIN)/python -m tests.fuzz --examples $(N) --seed $(SEED) --out build/fuzz

lint: env  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@scripts/mypy.sh

format: env  ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

check: lint test  ## lint, then test

lock: env  ## resolve requirements.lock afresh
	@$(BIN)/python scripts/lock.py --torch "$(TORCH)"

gpaw: env  ## install GPAW, which needs system packages
	@scripts/setup_extra.sh gpaw

transport: env  ## install BoltzTraP2 for transport.program boltztrap2; needs system packages
	@scripts/setup_extra.sh transport

clean:  ## remove caches and build folders
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage
	@find gen2dft flows launchpad tests benchmarks examples scripts -name __pycache__ -prune -exec rm -rf {} +

clean-demo:  ## remove the demo's database and results
	@rm -rf "$(DEMO)"

clean-env:  ## remove the environment
	@rm -rf $(VENV)
