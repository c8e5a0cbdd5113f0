# Everything a clone needs: `make demo` shows a report, `make test` checks the code. Python 3.11 or newer is all
# that has to be there; constraints.txt pins the versions that the tests were run with.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

.PHONY: demo test test-long lint bench bench-made bench-real bench-archive defaults signs setup clean
.DEFAULT_GOAL := demo

setup: $(READY_DEV)

# The program alone: all that the demonstration needs. It is installed again only when the requirements or the pinned
# versions change; an environment that is there is kept.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(INSTALL) .
	@touch $(READY)

# Training, tests and notebooks: torch among them, several times the size of all else.
$(READY_DEV): $(READY)
	@echo "installing what the tests need (torch is large: several minutes the first time)"
	@$(INSTALL) '.[train,dev,notebook]'
	@touch $(READY_DEV)

demo: $(READY)
	@$(BIN)/cop-imaging analyze data_samples/phantom_op --out out/demo --masks --overwrite

test: $(READY_DEV)
	@$(BIN)/python -m pytest --numprocesses 2 -m 'not long'

test-long: $(READY_DEV)
	@$(BIN)/python -m pytest --numprocesses 2 -m long

lint: $(READY_DEV)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports

bench: $(READY)
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.reading
	@$(BIN)/python -m benchmarks.index

# Made chests: their physics, figures and speed, and the lung masks found in them (about an hour).
bench-made: $(READY_DEV)
	@for name in scanner_physics chest_physics phantom_figures phantom lung_doubt anatomy signs; do $(BIN)/python -m benchmarks.$$name || exit 1; done

# Lesions in real scans; COP_IMAGING_REAL_CT names the folder of the scans.
bench-real: $(READY_DEV)
	@for name in insertion discriminator lungs; do $(BIN)/python -m benchmarks.$$name || exit 1; done

# Runs over archives: their cost, what they survive, how fast they are (an hour; root for the small disk and the hosts).
bench-archive: $(READY_DEV)
	@for name in archive chaos throughput network orthanc orthanc_run; do $(BIN)/python -m benchmarks.$$name || exit 1; done

# After a default has changed: the stored settings, their tables and the pages of the signs say what holds.
defaults: $(READY)
	@$(BIN)/cop-imaging config > configs/default.toml
	@$(BIN)/cop-imaging config --markdown > docs/configuration.md
	@$(BIN)/cop-imaging signs --pages docs/signs

# After a sign was added or sees differently: its page, and the pictures of all (a few minutes).
signs: $(READY)
	@$(BIN)/cop-imaging signs --pages docs/signs
	@$(BIN)/python -m benchmarks.sign_pictures

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find cop_imaging tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
