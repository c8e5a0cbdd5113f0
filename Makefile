# Everything a clone needs: `make demo` shows a report, `make test` checks the code. Python 3.11 or newer is all
# that has to be there; constraints.txt pins the versions that the tests were run with.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-long lint bench defaults setup clean
.DEFAULT_GOAL := demo

setup: $(READY)

# Installs again only when the requirements or the pinned versions change; an environment that is there is kept.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,dev,notebook]'
	@touch $(READY)

demo: $(READY)
	@$(BIN)/cop-imaging analyze data_samples/phantom_op --out out/demo --masks --overwrite

test: $(READY)
	@$(BIN)/python -m pytest --numprocesses 2 -m 'not long'

test-long: $(READY)
	@$(BIN)/python -m pytest --numprocesses 2 -m long

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports

bench: $(READY)
	@$(BIN)/python -m benchmarks

# After a default has changed: the stored settings and their tables say what holds.
defaults: $(READY)
	@$(BIN)/cop-imaging config > configs/default.toml
	@$(BIN)/cop-imaging config --markdown > docs/configuration.md

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find cop_imaging tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
