# Each target sets up what it needs: on a fresh machine `make demo` and `make test` are enough.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin

.PHONY: demo test torture lint docs bench reproduce clean
.DEFAULT_GOAL := demo

# torch goes first and alone: a range would let pip take a build with gigabytes of CUDA.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(VENV)/ready
	rm -rf demo
	$(RUN)/amsunet train sample:nuclei --minutes 2 --out demo/run
	$(RUN)/amsunet predict demo/run sample:nuclei --out demo/masks --overlay
	$(RUN)/amsunet evaluate demo/run --tta flips

# What exporting and Ray need, for their tests.
$(VENV)/export: $(VENV)/ready
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev,export,cluster]"
	touch $@

# Tests are many and small: two at a time on a thread each take half as long as one on two. The longest files go first.
test: $(VENV)/export
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Processes killed at random moments: make torture [REPEATS=10]
REPEATS ?= 10
torture: $(VENV)/export
	OMP_NUM_THREADS=1 REPEATS=$(REPEATS) $(RUN)/python -m pytest -n 2 -m torture

lint: $(VENV)/ready
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

# What the documentation is built with.
$(VENV)/docs: $(VENV)/ready
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev,docs]"
	touch $@

docs: $(VENV)/docs
	$(RUN)/sphinx-build -n -W -q -b html docs build/docs
	@echo "the documentation: build/docs/index.html"

bench: $(VENV)/export
	mkdir -p build
	$(RUN)/python benchmarks/training_step.py --out build/training_step.json
	$(RUN)/python benchmarks/memory.py --out build/memory.json
	$(RUN)/python benchmarks/networks.py --models all --seconds 3 --out build/benchmark

# make reproduce DATA=drive|glas|dsb2018|isic2017 [MINUTES=40] [SEEDS=1] [ROOT=folder of the raw folders]
MINUTES ?= 40
SEEDS ?= 1
reproduce: $(VENV)/ready
	$(RUN)/python tools/reproduce.py $(DATA) --minutes $(MINUTES) --seeds $(SEEDS) $(if $(ROOT),--root $(ROOT))

clean:
	rm -rf $(VENV) demo build dist
