# make venv: the environment with the faceflow command    make demo: two portraits, four prompts, out/demo/
# make test: the quick tests, offline                     make lint: the linters
# make test-all: all tests, with trainings and processes
PYTHON ?= python3
BIN := .venv/bin

.PHONY: venv demo test test-all lint clean

venv: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "FaceFlow needs Python 3.10 or newer; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]'
	touch $@

demo: .venv/.ready
	$(BIN)/python -m flow_core.cli.demo --out out/demo

test: .venv/.ready
	$(BIN)/python -m pytest -m "not slow"

test-all: .venv/.ready
	$(BIN)/python -m pytest

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv out build *.egg-info
