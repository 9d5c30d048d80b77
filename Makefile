# Each target does its own set-up: Python packages in .venv; etcd, kube-apiserver, Helm and promtool in the user's cache.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

# Test processes. Tests mostly wait, so four keep two cores busy. 0 runs the tests in one process.
WORKERS ?= 4
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test programs in-turn coverage faults mutants soak bench fuzz e2e check manifests dashboard image lock

demo: $(READY)  ## Start an API server, Temporal and the operator, and terminate a workflow. KEEP=1 leaves them running.
	@$(BIN)/python -m tests.demo $(if $(KEEP),--keep)

test: $(READY)  ## Run all checks and tests. CI runs the same.
	@$(MAKE) --no-print-directory -j2 programs in-turn

programs: $(READY)  # Builds the test servers while the checks and the unit tests run.
	@TERM=dumb nice $(BIN)/python -m tests.support.binaries

in-turn: $(READY)
	@$(MAKE) check
	@$(MAKE) coverage
	@$(BIN)/python -m pytest --ignore=tests/unit -n $(WORKERS)

# The test servers are Go programs on the same cores as the tests. With this setting they collect garbage less often.
in-turn faults mutants: export GOGC ?= 400

coverage: $(READY)  ## Run the unit tests; they must cover every branch of core and index.
	@$(BIN)/python -m pytest tests/unit --cov

faults: $(READY)  ## Run the fault tests of `make test` alone: crash matrix, restarts, refused calls, two operators.
	@$(BIN)/python -m pytest tests/faults -n $(WORKERS)

mutants: $(READY)  ## Remove one tenancy check at a time; a test must fail for each (2 minutes).
	@$(BIN)/python -m pytest tests/mutants -n $(WORKERS) --dist=load

bench: $(READY)  ## Compare with peers and write docs/benchmarks.md (45 minutes). QUICK=1 runs small sizes (10 minutes).
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick)

fuzz: $(READY)  ## Call the REST API with 2,000 cases generated from its OpenAPI document (minutes).
	@FUZZ_CASES=2000 $(BIN)/python -m pytest tests/integration/test_gateway.py -k fuzz -rP

soak: $(READY)  ## Inject random faults into real servers for MINUTES (10) and report. SEED repeats a run.
	@$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

e2e: $(READY)  ## Test image and chart in a kind cluster: demo, upgrades, kills, drains and rotations under load (3 minutes).
	@$(BIN)/python -m tests.e2e $(if $(SEED),--seed $(SEED))

check: $(READY)  ## Check format, lint, types, import contracts and generated files.
	@$(BIN)/ruff format --check --quiet && $(BIN)/ruff check --quiet && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/python -m execution_operator.manifests --check

manifests: $(READY)  ## Regenerate crds/ and the generated parts of deploy/.
	@$(BIN)/python -m execution_operator.manifests

dashboard: $(READY)  ## Draw docs/dashboard.svg from two operators under load for MINUTES (4). Needs prometheus on the PATH.
	@$(BIN)/python -m tests.dashboard $(if $(MINUTES),--minutes $(MINUTES))

image: $(READY)  ## Build the operator's image and print its size. BASE_IMAGE names another base image.
	@$(BIN)/python -m tests.support.image

lock: | $(BIN)/uv  ## Pin the dependencies of pyproject.toml. UPGRADE=1 takes the newest allowed versions.
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
