# Each target sets up what it needs: Python packages in .venv, and etcd and kube-apiserver in the user's cache.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

# Tests wait more than they work: this many processes keep two cores busy; 0 is one after the other. They share byte code.
WORKERS ?= 4
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test programs in-turn coverage faults mutants soak bench fuzz e2e check manifests dashboard image lock

demo: $(READY)  ## A control plane, Temporal, the operator and a terminated workflow; KEEP=1 leaves them running.
	@$(BIN)/python -m tests.demo $(if $(KEEP),--keep)

test: $(READY)  ## All that must hold before a change is merged.
	@$(MAKE) --no-print-directory -j2 programs in-turn

programs: $(READY)  # On a new machine they are built while what needs none of them runs.
	@TERM=dumb nice $(BIN)/python -m tests.support.binaries

in-turn: $(READY)
	@$(MAKE) check
	@$(MAKE) coverage
	@$(BIN)/python -m pytest --ignore=tests/unit -n $(WORKERS)

# The servers are written in Go, and share the cores with what is tested: they collect garbage less often.
in-turn faults mutants: export GOGC ?= 400

coverage: $(READY)  ## The unit tests, which take every branch of the core.
	@$(BIN)/python -m pytest tests/unit --cov

faults: $(READY)  ## The fault tests of `make test` alone: the crash matrix, restarts, refusals, two operators.
	@$(BIN)/python -m pytest tests/faults -n $(WORKERS)

mutants: $(READY)  ## The operator without one check of tenancy at a time: its test must fail (2 minutes).
	@$(BIN)/python -m pytest tests/mutants -n $(WORKERS) --dist=load

bench: $(READY)  ## The figures beside those of peers, into docs/benchmarks.md (45 minutes); QUICK=1 takes two.
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick)

fuzz: $(READY)  ## The REST call against 2,000 cases made from its OpenAPI (minutes).
	@FUZZ_CASES=2000 $(BIN)/python -m pytest tests/integration/test_gateway.py -k fuzz -rP

soak: $(READY)  ## Random faults on real servers for MINUTES (10), then a report; SEED repeats its dice.
	@$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

e2e: $(READY)  ## Image, chart and demo in a kind cluster, and upgrades, kills, drains and rotations under load (3 minutes).
	@$(BIN)/python -m tests.e2e $(if $(SEED),--seed $(SEED))

check: $(READY)  ## Format, lint, types, import contracts, generated files.
	@$(BIN)/ruff format --check --quiet && $(BIN)/ruff check --quiet && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/python -m execution_operator.manifests --check

manifests: $(READY)  ## Regenerate crds/ and the generated parts of deploy/.
	@$(BIN)/python -m execution_operator.manifests

dashboard: $(READY)  ## Draw docs/dashboard.svg from two operators under load for MINUTES (4); needs the program prometheus.
	@$(BIN)/python -m tests.dashboard $(if $(MINUTES),--minutes $(MINUTES))

image: $(READY)  ## Build the operator's image, and tell its size; BASE_IMAGE names another base.
	@$(BIN)/python -m tests.support.image

lock: | $(BIN)/uv  ## Pin the dependencies that pyproject.toml asks for; UPGRADE=1 takes the newest that it allows.
	@$(COMPILE) pyproject.toml --all-extras --output-file deploy/requirements.txt
	@$(COMPILE) --group build --output-file deploy/requirements-build.txt
	@$(COMPILE) pyproject.toml --all-extras --group dev --constraints deploy/requirements.txt --constraints deploy/requirements-build.txt --output-file tests/requirements.txt

$(READY): pyproject.toml tests/requirements.txt | $(BIN)/python
	@echo "installing Python packages into .venv (about a minute; again only when they change)"
	@$(PIP) --require-hashes --no-deps --requirement tests/requirements.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 15) else "Python 3.11 to 3.14 is needed, and this is %s. Name another: make PYTHON=python3.12" % sys.version.split()[0])'
	@$(PYTHON) -m venv .venv

$(BIN)/uv: | $(BIN)/python
	@$(PIP) 'uv>=0.8,<1'
