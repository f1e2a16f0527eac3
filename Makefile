# Two commands on a fresh machine: `make demo` is the main job with no hardware, `make test` is the whole suite.
# Both set up .venv themselves and need no root.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# A pip with a cache elsewhere or behind a proxy is configured in the environment, as usual.
PIP := $(BIN)/python -m pip --disable-pip-version-check

RECORDING ?=
RATE ?=
SCALE ?=
BOARD ?= virtual-esp32s3
LINK ?= mqtt
REGION ?= EU868
ARGS ?=
# Many tests wait for a process or a port, so a few more than there are cores.
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench vectors soak generate size spark clean

# What holds our code against vectors and programs of others, or random input of which `make test` has a little: found
# by what the files say. Those of tests/both run on MicroPython too. What goes on for long is a soak.
FULL = $(shell grep -rl JUDDER_FULL tests --include='test_*.py')
SOAK = $(filter-out tests/both/% tests/host/%,$(FULL)) $(foreach word,soak powercut _fuzz decode_fast,$(foreach file,$(FULL),$(if $(findstring $(word),$(file)),$(file))))
HOLD = vectors/|_v1[.]json|appendix_a|lora-rs|CALCULATOR|import (npm_packages|tshark)
VECTORS = $(filter-out $(SOAK),$(shell grep -rlE '$(HOLD)' tests/both tests/host --include='test_*.py') $(filter tests/host/% tests/both/%,$(FULL)))
ON_MICROPYTHON = $(foreach runtime,wheel i386,$(patsubst tests/both/%,'tests/both/test_on_micropython.py::test_same_file_on_micropython[%-$(runtime)]',$(filter tests/both/%,$(VECTORS))))
LONG := JUDDER_FULL=1 $(BIN)/python -m pytest --timeout=3600 -q

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */\1\t/' | awk -F'\t' '{printf "  make %-9s %s\n", $$1, $$2}'
	@echo
	@echo "  make demo RECORDING=DIR|FILE [RATE=HZ SCALE=G_PER_COUNT]   replays real vibration instead of a synthetic machine"
	@echo "  make demo LINK=lorawan [REGION=EU868]          over LoRaWAN instead of MQTT"
	@echo "  make test ARGS='-k flash -x'                               passes ARGS to pytest"

setup: $(STAMP)  ## create .venv with everything the other commands need

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Judder needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ echo "Could not make .venv; on Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Setting up .venv (first time only; one or two minutes) ..."
	@$(PIP) install --quiet --editable '.[dev]'
	@touch $@

demo: $(STAMP)  ## the whole chain with no hardware: flash, provision, measure, deliver, decode, plot
	@$(BIN)/judder demo --link $(LINK) --region $(REGION) $(if $(RECORDING),--recording '$(RECORDING)') $(if $(RATE),--rate $(RATE)) $(if $(SCALE),--scale $(SCALE)) $(ARGS)

test: $(STAMP) check build/micropython32/.tried build/npm/.tried  ## style, types and every test
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

# Fetched once, so that the tests know before they start whether the 32-bit ring can run.
build/micropython32/.tried: tests/tools/micropython32.py | $(STAMP)
	@$(BIN)/python tests/tools/micropython32.py || true
	@mkdir -p $(@D) && touch $@

build/npm/.tried: tests/tools/npm_packages.py tests/tools/npm/package.json tests/tools/npm/package-lock.json | $(STAMP)
	@$(BIN)/python tests/tools/npm_packages.py || true
	@mkdir -p $(@D) && touch $@

check: $(STAMP)  ## ruff and mypy only
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

bench: $(STAMP) build/micropython32/.tried  ## ratios, instruction counts, bytes and turns
	@set -e; for bench in tests/bench/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench; echo; done

vectors: $(STAMP) build/micropython32/.tried build/npm/.tried  ## vectors and programs of others, the full count (lora-packet, tshark)
	@$(LONG) -s $(sort $(VECTORS)) $(ON_MICROPYTHON) $(ARGS)

soak: $(STAMP) build/micropython32/.tried  ## mutated frames, power cuts, sensors: the full count, an hour or so
	@$(LONG) -rP -n 2 --dist worksteal $(sort $(SOAK)) $(ARGS)

generate: $(STAMP) build/npm/.tried  ## host/integrations and docs/wire.md from the contract; after every change to it
	@$(BIN)/python -m judder.integrate build/npm/node_modules/terser/bin/terser

size: $(STAMP)  ## images of a board with the size of every module (BOARD=...)
	@$(BIN)/judder build --board $(BOARD)

spark: $(STAMP)  ## pyspark into .venv (500 MB), for tests/host/test_spark_backfill.py and its bench
	@$(PIP) install --quiet --editable '.[spark]'

clean:  ## remove build/ (keeps .venv)
	rm -rf build
