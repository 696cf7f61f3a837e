# `make help` lists the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo stack test check unit install servers builders lint types imports pytest soak commands fuzz faults bench \
	image-test release-check docs dashboards pictures kubernetes security-figures \
	lock clean

PROMETHEUS ?= http://localhost:9090# which the pictures of the dashboards are drawn from
PYTHON ?=# a Python to use instead of the first of python3.11, python3, python3.12, python3.13
PYTEST_ARGS ?= --numprocesses 6 --dist loadgroup --durations 12
FUZZ_SECONDS ?= 600
SOAK_MINUTES ?= 2# on each broker; the two run side by side
COMMANDS_MINUTES ?= 60# on each broker; the two run side by side
BENCH_ARGS ?=# parts to run, such as scrape; --help lists them
LOCK_ARGS ?=# --upgrade takes the newest versions instead of keeping those locked

venv := .venv
bin := $(venv)/bin
# Wheels only: building a source distribution would fetch packages that no lock pins.
pip_install := $(bin)/python -m pip install --quiet --disable-pip-version-check --no-input
install_lock := $(pip_install) --require-hashes --only-binary :all: --requirement
install_project := $(pip_install) --no-deps --no-build-isolation --editable .
project := pyproject.toml celery_sentinel/__init__.py
uv_compile = UV_CUSTOM_COMPILE_COMMAND="make lock" $(bin)/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	--no-emit-find-links $(LOCK_ARGS)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

demo: $(venv)/installed-demo ## run a small Celery fleet with celery-sentinel in front of it
	$(bin)/celery-sentinel demo

stack: $(venv)/installed-demo servers ## run the same with a pair, Prometheus and Alertmanager
	$(bin)/python deploy/stack

# --keep-going: one run shows everything that is wrong, and any failure fails the whole.
test: install servers ## check style, types and imports, then run every test
	@$(MAKE) --no-print-directory --keep-going lint types imports pytest

install: $(venv)/installed-test ## create .venv with all that the tests need

servers: ## install the servers and programs that the tests start, when they are missing
	@scripts/install-servers.sh
	@scripts/install-kubectl.sh

builders: ## install buildah and debootstrap when they are missing
	@scripts/install-builders.sh

check: $(venv)/installed-test ## in about a minute: style, types, imports, and the unit tests that need no server
	@$(MAKE) --no-print-directory --keep-going lint types imports unit

unit: $(venv)/installed-test ## run the unit tests, those by promtool left out
	$(bin)/python -m pytest tests/unit --ignore tests/unit/alerts/test_promtool.py --quiet \
		--numprocesses 2 --dist loadgroup

lint: $(venv)/installed-test ## check style and formatting
	$(bin)/ruff check
	$(bin)/ruff format --check

types: $(venv)/installed-test ## check types
	$(bin)/mypy

imports: $(venv)/installed-test ## check the direction of imports
	$(bin)/lint-imports

pytest: $(venv)/installed-test ## run the tests alone; PYTEST_ARGS="tests/unit" chooses some
	$(bin)/python -m pytest $(PYTEST_ARGS)

fuzz: $(venv)/installed-test ## fuzz for FUZZ_SECONDS each whatever reads strangers' bytes
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(bin)/python -m pytest tests/fuzz

soak: $(venv)/installed-test servers ## run the soak test alone; SOAK_MINUTES=60 makes it an hour
	SOAK_MINUTES=$(strip $(SOAK_MINUTES)) $(bin)/python -m pytest tests/soak/test_soak.py \
		--numprocesses 2 -rP

commands: $(venv)/installed-test servers ## record all that is sent to a broker, hold it against docs/commands.md
	COMMANDS_MINUTES=$(strip $(COMMANDS_MINUTES)) $(bin)/python -m pytest tests/commands/test_commands.py \
		--numprocesses 2 -rP

bench: $(venv)/installed-bench servers ## measure the daemon beside its peers; BENCH_ARGS="scrape" for one part
	$(bin)/python -m benchmarks $(BENCH_ARGS)

image-test: $(venv)/installed-test servers builders ## as root: build the container image and run it
	$(bin)/python -m pytest tests/image -m image --durations 3

release-check: $(venv)/installed-test ## say what lacks for a release; else test, and build it in dist/
	$(bin)/python scripts/release_check.py
	$(MAKE) --no-print-directory test image-test
	rm -rf dist
	$(bin)/python -m build --no-isolation

faults: $(venv)/installed-test servers ## inject every fault, see which alerts arrive, write docs/faults.md
	$(bin)/python -m tests.faults

docs: $(venv)/installed-demo ## write docs/metrics.md, docs/config.md and the table in docs/alerting.md
	$(bin)/celery-sentinel metrics --format markdown > docs/metrics.md
	$(bin)/python docs/config_page.py > docs/config.md
	$(bin)/python docs/alerts_table.py

security-figures: $(venv)/installed-test servers ## attack the HTTP server, write docs/security-tests.md
	$(bin)/python -m tests.security_figures

kubernetes: $(venv)/installed-demo ## build the alert rules and dashboards of deploy/kubernetes
	$(bin)/python deploy/kubernetes/generate.py

dashboards: $(venv)/installed-test ## write grafana/*.json from the panels in grafana/
	$(bin)/python -m grafana.build

pictures: $(venv)/installed-preview ## draw docs/images/dashboard-*.png from PROMETHEUS, with Chromium
	$(bin)/python -m grafana.preview --prometheus $(strip $(PROMETHEUS)) docs/images

lock: $(bin)/python ## write requirements/ from pyproject.toml; LOCK_ARGS=--upgrade for newer versions
	$(install_lock) requirements/lock.txt
	$(uv_compile) --output-file requirements/lock.txt --group lock
	$(uv_compile) --output-file requirements/test.txt pyproject.toml --extra demo --group test
	$(uv_compile) --output-file requirements/bench.txt pyproject.toml --extra demo --group bench \
		--constraint requirements/test.txt
	$(uv_compile) --output-file requirements/demo.txt pyproject.toml --extra demo --group build \
		--constraint requirements/test.txt
	$(uv_compile) --output-file requirements/run.txt pyproject.toml \
		--constraint requirements/test.txt
	$(uv_compile) --output-file requirements/build.txt --group build \
		--constraint requirements/test.txt
	$(uv_compile) --output-file requirements/preview.txt pyproject.toml --group preview \
		--group build --constraint requirements/test.txt

clean: ## remove .venv and everything that was generated
	rm -rf $(venv) build deploy/kubernetes/generated dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(bin)/python:
	@PYTHON="$(PYTHON)" scripts/create-venv.sh $(venv)

$(venv)/installed-demo: requirements/demo.txt $(project) | $(bin)/python
	$(install_lock) requirements/demo.txt
	$(install_project)
	@touch $@

$(venv)/installed-test: requirements/test.txt $(project) | $(bin)/python
	$(install_lock) requirements/test.txt
	$(install_project)
	$(bin)/python -m pip check
	@touch $@

$(venv)/installed-bench: requirements/bench.txt $(venv)/installed-test
	$(install_lock) requirements/bench.txt
	@touch $@

$(venv)/installed-preview: requirements/preview.txt $(project) | $(bin)/python
	$(install_lock) requirements/preview.txt
	$(install_project)
	@touch $@
