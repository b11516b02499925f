# Every command of the project; each installs what it needs into .venv first.
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --root-user-action=ignore
# What `make lock` resolves with: the locks say who made them, and the same tool makes the same locks.
UV := uv==0.13.9
LOCK := $(BIN)/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-config \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
# What the project itself checks itself with.
CODE := devices gateway flows simulator tests benchmarks faults
PYTHON ?=

export PIP_NO_INPUT := 1

.PHONY: help demo install test lint tools bench fuzz faults soak docs schemas lock secrets clean

help:
	@echo 'make demo      a simulated greenhouse: see Sluice work (Ctrl-C ends it, starting again goes on)'
	@echo 'make install   .venv with the command sluice in it, and nothing else'
	@echo 'make test      every check and test          make lint   the checks alone'
	@echo 'make bench     the benchmarks                make clean  remove .venv and what tools left'
	@echo 'make fuzz      10 million damaged messages at decoding (ARGS="--inputs 100000")'
	@echo 'make faults    33 faults on real processes: over an hour (F=F06: one of them)   make soak   30 minutes of them'
	@echo 'make docs      docs/devices.md, from the conventions and their samples, and the tables in docs/flows.md, docs/simulator.md and docs/scaling.md'
	@echo 'make schemas   config/schema/, from the models of the config files'
	@echo 'make secrets   passwords for docker-compose  make lock   remake the lock files (UPGRADE=1: newest versions)'
	@echo 'PYTHON=/path/to/python3.12 chooses the Python to make .venv with.'

demo: $(VENV)/runtime
	@exec $(BIN)/sluice up --demo greenhouse

install: $(VENV)/runtime

test: lint tools
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

tools:
	@.ci/tools

bench: $(VENV)/dev tools
	@for bench in benchmarks/*.py; do echo "$$bench"; $(BIN)/python "$$bench" $(ARGS) || exit 1; done

lock: | $(BIN)/python
	$(INSTALL) $(UV)
	$(LOCK) pyproject.toml --output-file requirements.lock
	$(LOCK) pyproject.toml --group dev --constraints requirements.lock --output-file requirements-dev.lock

fuzz: $(VENV)/dev
	$(BIN)/python tests/devices/fuzz.py $(ARGS)

# Each result takes the place of the one before, and the page is made of them.
faults: $(VENV)/dev tools
	@$(BIN)/python -m faults $(F) $(ARGS) --results faults/results.json; status=$$?; \
	$(BIN)/python -m faults.pages; exit $$status

soak:
	@$(MAKE) --no-print-directory faults F=SOAK

docs: $(VENV)/runtime
	$(BIN)/python -m devices.guide > docs/devices.md
	$(BIN)/python -m flows.guide docs/flows.md
	$(BIN)/python -m simulator.guide docs/simulator.md
	$(BIN)/python benchmarks/pages/scaling.py
	$(BIN)/python -m faults.pages

schemas: $(VENV)/runtime
	$(BIN)/python -m gateway.cli.config_schemas config/schema

# The folder is its owner's alone; the files in it are readable to all, since each container reads them as a user of its own.
secrets:
	@umask 022; mkdir -p -m 0700 secrets; touch secrets/mqtt_devices; \
	for name in mqtt_password simulator_password influxdb_password influxdb_token; do \
	  test -s secrets/$$name || head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > secrets/$$name; \
	done; \
	echo 'secrets/: what was missing has been made; what was there is as it was'

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo 'Installing Sluice into $(VENV): a minute or so, once ...'
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps -e .
	@touch $@

$(VENV)/dev: requirements-dev.lock requirements.lock pyproject.toml | $(BIN)/python
	@echo 'Installing Sluice and what tests it into $(VENV): a minute or two, once ...'
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@$(INSTALL) --no-deps -e .
	@touch $(VENV)/runtime $@

# The machine's own python3 if it will do, else 3.12 or 3.11 beside it. Debian keeps ensurepip in a package of its own.
$(BIN)/python:
	@for python in $(or $(PYTHON),python3 python3.12 python3.11); do \
	  "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null || continue; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { incomplete="$${incomplete:-$$python}"; continue; }; \
	  exec "$$python" -m venv --clear $(VENV); \
	done; \
	if [ "$$incomplete" ]; then \
	  echo "$$incomplete cannot make a virtual environment: run 'apt install python3-venv', then make again." >&2; \
	else \
	  echo "Sluice needs Python 3.11 or 3.12, since Bytewax has no build for a newer one yet: with uv, run" \
	    "'uv python install 3.12', then 'make demo PYTHON=\$$(uv python find 3.12)'." >&2; \
	fi; \
	exit 1
