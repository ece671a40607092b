# One word per chore. Needs Python 3.9 or later and make; everything else is installed into $(VENV), once.
# All paths are relative, so the checkout may lie anywhere, also below a directory with blanks in its name.
#
#   make test PYTHON=python3.13 VENV=.venv-3.13    another Python, in an environment of its own
#   make test ARGS="-k cached -x"                  arguments for pytest (or for the benchmarks)
#   make partners WITHIN="tools/hermetic.sh --"    a command that runs the tests, here in a network of their own

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
WITHIN ?=

RUN := $(VENV)/bin/python
# pip's warnings are about its own configuration; errors are shown.
INSTALL := $(RUN) -m pip --disable-pip-version-check --quiet --quiet install
PACKAGES := -e packages/entra-emulator -e "packages/azure-identity[aio]"
SOURCES := packages/azure-identity/src packages/azure-identity-broker/src packages/entra-emulator/src
# A PYTHON that somebody named must be the one in $(VENV); the default takes what is there.
NAMED := $(if $(filter file,$(origin PYTHON)),,"$(PYTHON)")

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.PHONY: help demo test lint types minimum-python docs partners bench bench-quick clean venv

help:
	@echo "make demo            a local Entra ID, and programs that get tokens from it"
	@echo "make test            the tests"
	@echo "make lint            style: ruff"
	@echo "make types           types: mypy --strict and pyright"
	@echo "make minimum-python  nothing newer than Python 3.9 is used: vermin"
	@echo "make docs            runs the programs of the guides and examples, checks links"
	@echo "make partners        the tests against real partner programs, which it installs"
	@echo "make bench           benchmarks beside the published package (bench-quick: a short run)"
	@echo "make clean           removes what these made"

demo: $(VENV)/.for-demo
	@$(RUN) examples/demo.py

test: $(VENV)/.for-test
	@$(RUN) -m pytest --no-header $(ARGS)

lint: $(VENV)/.for-checks
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --check --quiet . || { echo "lint: run '$(RUN) -m ruff format .'"; exit 1; }
	@$(RUN) tools/check_literals.py
	@echo "lint: clean"

types: $(VENV)/.for-checks
	@$(RUN) -m mypy --strict --no-error-summary $(SOURCES)
	@$(RUN) -m pyright --pythonpath $(RUN)

minimum-python: $(VENV)/.for-checks
	@$(VENV)/bin/vermin --quiet --target=3.9- --violations --eval-annotations $(SOURCES) examples tools benchmarks

docs: $(VENV)/.for-demo
	@$(RUN) tools/check_links.py
	@$(RUN) tools/run_docs.py

partners: $(VENV)/.for-partners
	@sh tools/install_partners.sh
	@REQUIRE_PARTNERS=1 $(WITHIN) $(RUN) -m pytest --no-header tests $(ARGS)

bench: $(VENV)/.for-demo
	@$(RUN) -m benchmarks $(ARGS)

bench-quick: $(VENV)/.for-demo
	@$(RUN) -m benchmarks --quick $(ARGS)

clean:
	@rm -rf "$(VENV)" .venv .venv-* build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis benchmarks/.envs benchmarks/results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- installation: one stamp file for each set of packages ----

venv:
	@sh tools/make_venv.sh "$(PYTHON)" "$(VENV)" $(NAMED)

$(VENV)/.for-demo: packages/azure-identity/pyproject.toml packages/entra-emulator/pyproject.toml | venv
	@echo "Installing into $(VENV) ..."
	@$(INSTALL) $(PACKAGES)
	@touch $@

$(VENV)/.for-test: tools/requirements-test.txt $(VENV)/.for-demo | venv
	@$(INSTALL) -r $<
	@touch $@

$(VENV)/.for-checks: tools/requirements-checks.txt $(VENV)/.for-test | venv
	@$(INSTALL) -r $<
	@touch $@

$(VENV)/.for-partners: tools/requirements-partners.txt $(VENV)/.for-test | venv
	@$(INSTALL) -r $<
	@touch $@
