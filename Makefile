# make demo, make test and make gpu do all of their own set-up: they need Python 3.11 or later, make and the package index.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test gpu lint check clean

demo: $(READY)
	$(BIN)/upbench run studies/demo.yaml
	$(BIN)/upbench report demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2

# Whether results are right on this machine: on its GPU, or on its CPU where there is none; and how fast it is.
gpu: $(READY)
	$(BIN)/upbench doctor --out doctor.json

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Everything slow: the whole of `make test`, the marked tests, the style, and the campaigns in `tests/campaigns`, one line
# each; KILLS=n for another number of killed runs.
check: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "slow or not slow" --timeout=1800
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.campaigns

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.11"; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --compile-bytecode -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache
