# Each target sets up what it needs: on a fresh machine `make demo` and `make test` are enough.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin

.PHONY: demo test torture parity lint docs bench reproduce report lock licences locked oldest pythons sdist clean
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
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[clinic,cluster,dev,export,objects]"
	touch $@

# Tests are many and small: two at a time on a thread each take half as long as one on two. The longest files go first.
test: $(VENV)/export
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Kills, damage, hostile files, failing disks (docs/reliability.md): make torture [REPEATS=10] [SEED=0]
# [PARTS=tests/torture/test_disk.py]. With REPEATS=1 it takes three minutes and leaves out no kind of fault.
REPEATS ?= 10
SEED ?= 0
PARTS ?= tests/torture $(shell grep -rl --include="test_*.py" "mark\.torture" tests)
torture: $(VENV)/export
	OMP_NUM_THREADS=1 REPEATS=$(REPEATS) SEED=$(SEED) TORTURE_OUT=build/torture.json \
		$(RUN)/python -m pytest -n 2 -m torture $(PARTS)

# The page against predict: every network of the zoo with every kind of image, from the file to the mask. It needs
# Chromium, and takes as long as four images of 2,000 x 1,500 take in a browser.
parity: $(VENV)/export
	mkdir -p build
	$(RUN)/python benchmarks/page_parity.py --out build/page_parity.json

lint: $(VENV)/ready
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

# What the documentation is built with.
$(VENV)/docs: $(VENV)/ready
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev,docs]"
	touch $@

# All that extras bring, with licences and checksums, as pip would install it; nothing is installed but a pip that reads
# today's metadata.
report: $(VENV)/ready
	mkdir -p build
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "pip>=25"
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --dry-run --ignore-installed \
		--constraint constraints.txt --report build/$(REPORT).json "$(if $(EXTRAS),.[$(EXTRAS)],.)"

# No package under the GPL, the AGPL or terms against commercial use, whichever extra is installed.
licences:
	$(MAKE) report REPORT=all EXTRAS=clinic,cluster,dev,docs,export,mobile,objects,openvino,slides
	$(RUN)/python tools/licences.py --report build/all.json

# What .ci/run installs, with checksums: after each change of constraints.txt or of what pyproject.toml needs.
lock:
	$(MAKE) report REPORT=ci EXTRAS=clinic,cluster,dev,docs,export,objects
	$(RUN)/python tools/lock.py build/ci.json > requirements.lock

# Files of packages are those of requirements.lock, or nothing is installed; the other targets then find them there.
locked: constraints.txt requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock

# Tests that take minutes and touch every package that an extra brings.
SOME := tests/blocks tests/models/test_amsunet.py tests/models/test_contract.py tests/data tests/inference \
	tests/interchange tests/training/test_train.py tests/evaluation/test_plots.py \
	tests/evaluation/test_metrics.py tests/deployment

# pyenv has a command for each Python that it keeps, and its variable says which of them that command runs.
PYTHON_OF = PYENV_VERSION=$(1) python$(1)

# The oldest versions that pyproject.toml allows, on the oldest Python that it allows.
OLDEST := build/oldest
oldest:
	$(call PYTHON_OF,3.11) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip packaging
	$(OLDEST)/bin/python tools/oldest.py > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(OLDEST)/constraints.txt torch
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(OLDEST)/constraints.txt \
		--editable ".[clinic,cluster,export,objects,slides]" nibabel pytest pytest-xdist
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -n 2 --dist loadfile $(SOME)

# The same tests on every newer Python that is here, with the versions of constraints.txt.
NEWER := $(foreach one,3.12 3.13,$(if $(shell $(call PYTHON_OF,$(one)) -c 'print(1)' 2>/dev/null),$(one)))
pythons: $(NEWER:%=python%)
	@echo "tested on what is here of Python 3.12 and 3.13: $(or $(NEWER),nothing)"

python%:
	$(call PYTHON_OF,$*) -m venv build/$@
	build/$@/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	build/$@/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	build/$@/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable ".[clinic,dev,export,objects,slides]"
	OMP_NUM_THREADS=1 build/$@/bin/python -m pytest -n 2 --dist loadfile $(SOME)

# A source distribution, unpacked elsewhere: every source is in it, and what its tests read.
sdist: $(VENV)/export
	rm -rf build/sdist
	mkdir -p build/sdist/unpacked
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "setuptools>=77"
	$(RUN)/python -c "from setuptools.build_meta import build_sdist; build_sdist('build/sdist')"
	tar -xzf build/sdist/*.tar.gz -C build/sdist/unpacked --strip-components 1
	git ls-files -z src tests | (cd build/sdist/unpacked && xargs -0 ls -d > /dev/null)
	cd build/sdist/unpacked && PYTHONPATH="$$PWD/src" OMP_NUM_THREADS=1 $(abspath $(RUN))/python -m pytest -n 2 --dist loadfile \
		tests/blocks tests/data tests/zoo tests/test_docs.py tests/test_readme.py tests/test_small_installation.py

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
