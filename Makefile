# What a person does with a checkout. `make` alone tells what there is.
PYTHON ?= python3
CONFIG ?= config/tipe-1.toml
STATE ?= var/sim
AUTO ?= 1

VENV := .venv/bin
SETUP := PYTHON='$(PYTHON)' sh .ci/setup

.PHONY: help run test check bench lab clean
.DEFAULT_GOAL := help

help: ## tell what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make run CONFIG=config/tipe-4.toml   another preset (now $(CONFIG))"
	@echo "  make run AUTO=0                      without visitors who come by themselves"
	@echo "  make run STATE=DIR                   another place for journal and tickets (now $(STATE))"
	@echo "  make ... PYTHON=python3.13           another Python, 3.11 or newer, for a new .venv (make clean)"

run: ## run a whole kiosk on simulated hardware; Ctrl-C ends it
	@$(SETUP) run
	@exec $(VENV)/python -m kiosd_sim.run --config '$(CONFIG)' --state '$(STATE)' $(if $(filter 0 no false,$(AUTO)),--no-auto,--auto)

test: ## run every test
	@$(SETUP) test
	$(VENV)/python -m pytest

check: ## look at the code: ruff, mypy, pyright, direction of imports
	@$(SETUP) check
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy
	$(VENV)/pyright
	$(VENV)/python -m pytest tests/unit/test_house.py

bench: ## measure, beside the limits of this machine
	@$(SETUP) test
	$(VENV)/python tests/bench/run.py

lab: ## prove it on the kernel's own devices, in an emulated Debian 13 (as root; minutes)
	@$(SETUP) test
	$(VENV)/python tests/lab/run.py

clean: ## remove the virtual environment, caches, and the simulated kiosk's state
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist var
	find . -name __pycache__ -prune -exec rm -rf {} +
