# make demo   everything from nothing to labelled synthetic beats and a report
# make test   the tests
# make lint   style and types
# make test-processors   the tests that train, as on processors without AVX-512 and without AVX2
# make bench  the figures of benchmarks/RESULTS.md (over an hour; needs the MIT-BIH database in $ECGSYNTH_DATA/mitdb)
# Each sets up what it needs in .venv and does nothing twice.

PYTHON ?= python3
ECGSYNTH_DATA ?= ../shared/data
BIN    := .venv/bin
# A file of tests stays on one core, so that what its tests share is made once.
PYTEST := $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile
CODE   := $(shell find ecgsynth export tabular -name '*.py') $(wildcard ecgsynth/data/*) pyproject.toml

.PHONY: demo test test-processors lint bench clean

demo: .venv/installed
	$(BIN)/ecgsynth demo -o demo --force

test: .venv/installed
	$(PYTEST)

test-processors: .venv/installed
	ATEN_CPU_CAPABILITY=default $(PYTEST) -m trains
	ATEN_CPU_CAPABILITY=avx2 $(PYTEST) -m trains

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd .venv && bin/mypy --config-file ../pyproject.toml -p ecgsynth

bench: .venv/installed
	$(BIN)/python data_scripts/make_pretrained.py $(ECGSYNTH_DATA)/mitdb -o runs/pretrained
	$(BIN)/python benchmarks/speed.py $(ECGSYNTH_DATA)/mitdb runs/pretrained/mitbih-beats.onnx runs/pretrained/run

# The product is tested as it is installed: from its wheel.
.venv/installed: .venv/packages $(CODE)
	rm -rf build
	$(BIN)/pip install -q --no-deps --force-reinstall .
	touch $@

.venv/packages: constraints.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt ".[train,dev]"
	touch $@

clean:
	rm -rf .venv build dist demo *.egg-info
