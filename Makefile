# Two commands: `make demo` replicates the paper at the quick scale, `make test` checks this code. `make` lists all.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV ?= .venv
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
# Where to take PyTorch from first: `cpu` is PyTorch's public CPU index, anything else an address. On Linux the default
# index brings about 3 GB of CUDA that this project does not use.
TORCH_INDEX ?=
INDEX := $(patsubst cpu,https://download.pytorch.org/whl/cpu,$(strip $(TORCH_INDEX)))
TORCH := $(shell sed -nE 's/^(torch==[^ ;]+).*/\1/p' requirements.lock)

BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.frl-ready
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off
# of pip's 600 lines those that take time
SHOW := awk '/ Downloading .* [MG]B/ || /^(Building|Installing)/ { print substr($$0, 1, 100); fflush() }'
# sets $$python to the first interpreter that is new enough; a name may exist and still not run
FIND_PYTHON := for python in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; done

.PHONY: help setup demo test docs lock clean

help: ## list the targets
	@sed -nE 's/^([a-z%-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20
	@echo; echo "  make demo TORCH_INDEX=cpu   PyTorch without CUDA (Linux: 3 GB less)"
	@echo "  make demo CORES=4           use 4 cores (default: all)"

setup: $(READY) ## make the virtual environment, pinned by requirements.lock

# The stamp is written last: with one, an environment is brought up to date in place; without, it is made afresh, so that
# an interrupted set-up repairs itself. The base interpreter makes it, for it may be the activated one that is cleared.
$(READY): pyproject.toml requirements.lock
	@if [ -e $@ ] && $(BIN)/python -c 'import pip' 2>/dev/null; then rm $@; echo "Updating $(VENV) ..."; exit; fi; \
	rm -f $@; $(FIND_PYTHON); \
	if [ -z "$$python" ]; then \
		echo "error: no Python 3.11 or newer found (tried $(strip $(PYTHON) python3.11 python3.12 python3.13 python3));" \
			"install one or say where: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "error: $$python has no venv or ensurepip; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; fi; \
	echo "Setting up $(VENV) with $$("$$python" --version): some minutes, most of them download ..."; \
	"$$("$$python" -c 'import sys; print(sys._base_executable)')" -m venv --clear $(VENV)
ifneq ($(INDEX),)
	@$(PIP) --no-deps --retries 2 --index-url $(INDEX) $(TORCH) | $(SHOW) || \
		echo "note: $(TORCH) could not be installed from $(INDEX); it is taken from the default index" >&2
endif
	@$(PIP) -e ".[dev,cluster,docs,tensorboard]" -c requirements.lock | $(SHOW)
	@touch $@

demo: $(READY) ## train, draw and report at the quick scale (minutes on 2 cores)
	@PATH="$(BIN):$$PATH" snakemake --cores $(CORES) --configfile config/quick.yaml --quiet reason host
	@echo "Report: $(CURDIR)/results/quick/report.html"

test: $(READY) ## format, lint, types, equal lines, workflow and tests
	@export PATH="$(BIN):$$PATH"; set -x; \
	ruff check; \
	ruff format --check; \
	mypy; \
	pylint src; \
	snakefmt --check workflow; \
	snakemake --lint; \
	OMP_NUM_THREADS=1 pytest -n $(CORES) --dist worksteal

test-%: $(READY) ## all of an optional suite: test-slurm (cluster profiles), test-page (report in Chromium), test-gaits, test-ray, test-long
	@PATH="$(BIN):$$PATH" pytest --suite $*

docs: $(READY) ## build the site: site/index.html
	@PATH="$(BIN):$$PATH" frl results docs/results.md
	@PATH="$(BIN):$$PATH" sphinx-build --quiet --fail-on-warning --nitpicky --keep-going -b html -c docs . site
	@echo "Site: $(CURDIR)/site/index.html"

lock: $(READY) ## write requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header \
		pyproject.toml -o requirements.lock

clean: ## remove the environment and caches (results/ stays)
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .snakemake
	find . -name __pycache__ -type d -not -path './results/*' -prune -exec rm -rf {} +
