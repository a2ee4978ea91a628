# `make` alone prints what there is. Nothing here needs more than Python 3.11+, git and make;
# the tests install the servers that they need (tests/servers/install).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
STAMP := .venv/installed
# Bytecode is kept, whatever the environment says: without it every process that the tests start, and each
# worker, compiles all of its libraries anew, for seconds.
export PYTHONDONTWRITEBYTECODE :=
# A variable for pytest's own words: make test ARGUMENTS="-k spool -x"
ARGUMENTS ?=
# The tests' servers and files lie in memory where that has room: PostgreSQL makes a database in 0.06 s there
# and in 0.3 s on the disk, and a run makes hundreds. Processes are killed in the tests, never the machine.
SCRATCH := $(shell test "$$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 8000000 2>/dev/null && echo /dev/shm)
test e2e fuzz chaos: export TMPDIR := $(or $(SCRATCH),$(TMPDIR),/tmp)
# How far make bench goes (events of its largest store and backlog), and how long make soak takes.
export SCALE ?= 1000000
MINUTES ?= 20
# How many messages make fuzz draws.
FUZZ ?= 1000000

.PHONY: help
help:  ## print this
	@awk -F ':.*##  *' '/^[a-z0-9]+:.*##/ {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "faultwire needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	    "Name another: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv"; $(PYTHON) -m venv .venv; }
	@echo "Installing what constraints.txt pins"
	@$(PIP) install --no-compile --require-hashes -r <(awk '/^[^ ]/ {is_pip = /^pip==/} is_pip' constraints.txt)
	@$(PIP) install --no-compile --require-hashes -r constraints.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# Only what stands on make's own command line: a DATABASE_URL that happens to be in the
# environment is somebody else's.
ifeq ($(origin BROKER_URL),command line)
run: export FAULTWIRE_BROKER_URL := $(BROKER_URL)
endif
ifeq ($(origin DATABASE_URL),command line)
run: export FAULTWIRE_DATABASE_URL := $(DATABASE_URL)
endif

.PHONY: run
run: $(STAMP)  ## a worker with its page, and a shop that fails [BROKER_URL=amqp://… DATABASE_URL=postgresql://…]
	@$(BIN)/faultwire demo

.PHONY: test
test: $(STAMP)  ## every layer but e2e, on private RabbitMQ and PostgreSQL servers, installed where missing
	@tests/servers/install rabbitmq-server postgresql curl mount prometheus prometheus-alertmanager
	@$(BIN)/pytest --numprocesses=4 --dist=worksteal --durations=15 --hypothesis-profile=thorough $(ARGUMENTS)

.PHONY: e2e
e2e: $(STAMP)  ## the longer tests: browser, hosts, clusters, faults
	@tests/servers/install rabbitmq-server postgresql curl mount chromium systemd pgbouncer default-jre-headless zsh fish \
	  systemd-container mmdebstrap nginx buildah podman prometheus
	@$(BIN)/pytest --numprocesses=3 --dist=worksteal --durations=15 --hypothesis-profile=thorough -m e2e $(ARGUMENTS)

.PHONY: check
check: $(STAMP)  ## format, lint, types, imports, dependencies, what stands in deploy; edits nothing
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry producer consumer shared
	deploy/check $(BIN)

.PHONY: fmt
fmt: $(STAMP)  ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(STAMP)  ## the ratios of the performance goals, side by side [SCALE=10000000 ARGUMENTS="-k k1"]
	@tests/servers/install rabbitmq-server postgresql
	@$(BIN)/pytest tests/benchmarks -m benchmark --capture=no -p no:randomly --durations=0 $(ARGUMENTS)

.PHONY: report
report: $(STAMP)  ## put the newest figures of make bench and make soak into tests/benchmarks/README.md
	@$(BIN)/python -m tests.benchmarks.report

.PHONY: fuzz
fuzz: $(STAMP)  ## whatever may stand on the wire, a million messages into each database [FUZZ=10000000]
	@tests/servers/install postgresql
	@FAULTWIRE_FUZZ=$(FUZZ) $(BIN)/pytest --capture=no --timeout=0 tests/contract/api/test_anything.py $(ARGUMENTS)

.PHONY: chaos
chaos: $(STAMP)  ## faults by a seed over the whole pipeline, and a verdict [SEED=7 SEEDS=1-100 MINUTES=0.5 WORLD=broker TABLE=file]
	@tests/servers/install rabbitmq-server postgresql mount
	@$(BIN)/python -m tests.chaos --seeds $(or $(SEEDS),$(SEED),1) --world $(or $(WORLD),all) \
	  --minutes $(if $(filter command line,$(origin MINUTES)),$(MINUTES),0.5) $(if $(TABLE),--table $(TABLE)) $(ARGUMENTS)

.PHONY: soak
soak: $(STAMP)  ## a worker at half of what it can do for 20 minutes: its memory must not grow [MINUTES=20]
	@tests/servers/install rabbitmq-server postgresql
	@$(BIN)/python -m tests.benchmarks.soak $(MINUTES)

.PHONY: schema
schema: $(STAMP)  ## write the event's JSON Schema, as other languages read it
	@$(BIN)/python -m faultwire_shared.wire_schema

.PHONY: docs
docs: export NO_MKDOCS_2_WARNING := 1
docs: $(STAMP)  ## build the documentation's site, build/docs/index.html
	@$(BIN)/mkdocs build --quiet --config-file deploy/docs/mkdocs.yml

.PHONY: reference
reference: $(STAMP)  ## write what code knows best: the pages of docs/reference, the AsyncAPI file, Grafana's dashboard, PostgreSQL's roles
	@$(BIN)/python -m tests.tools.reference

.PHONY: lock
lock:  ## bring constraints.txt up to pyproject.toml [ARGUMENTS=--upgrade for the newest of everything]
	@uv=$$(mktemp -d); trap 'rm -rf "$$uv"' EXIT; $(PYTHON) -m venv "$$uv"; \
	"$$uv/bin/python" -m pip --quiet --disable-pip-version-check install uv; \
	compile() { "$$uv/bin/uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --python-version 3.11 pyproject.toml "$$@"; }; \
	compile --all-extras --group dev -o constraints.txt $(ARGUMENTS); \
	compile --extra all --group build --constraints constraints.txt -o deploy/constraints.txt

.PHONY: release
release: $(STAMP)  ## wheel, sdist, their SBOM and notes into dist/, from what is committed, and checked
	@rm -rf dist
	@deploy/release dist
	@FAULTWIRE_DIST=$(CURDIR)/dist $(BIN)/pytest --durations=5 -m "e2e or not e2e" tests/release $(ARGUMENTS)

.PHONY: clean
clean:  ## remove .venv, caches and built files; databases stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find producer consumer shared tests -name __pycache__ -type d -prune -exec rm -rf {} +
