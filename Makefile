# The way in, for people and CI alike. `make` alone lists what there is.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help setup setup-servers run test lint probes e2e openapi bench bench-service clean

BIN := .venv/bin
JOBS ?= $(shell nproc)
RUN := .run

help: ## Show what you can do here
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## Install all the project needs: a virtual environment, uv, bubblewrap
	@scripts/setup

run: setup ## Heal examples/patient: find, patch, prove; ends with reviews waiting
	@scripts/run-patient $(RUN)

setup-servers: setup ## Install the servers that tests start: PostgreSQL, RabbitMQ, Redis
	@scripts/setup-servers

test: setup-servers lint ## Run the whole suite (lint first), as CI does
	$(BIN)/pytest -n $(JOBS) --dist worksteal

lint: setup ## ruff, mypy --strict, import-linter, deptry
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src

probes: setup ## Every shipped probe against a vulnerable and a fixed release (installs real releases)
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m probes

e2e: setup-servers ## Whole journeys only
	$(BIN)/pytest tests/e2e

openapi: setup ## Renew docs/openapi.json and docs/asyncapi.json
	$(BIN)/python -m vertice.adaptive.api > docs/openapi.json
	$(BIN)/python -m vertice.adaptive.messages.document > docs/asyncapi.json

bench: setup ## Side by side with peers, as ratios
	$(BIN)/uv sync -q --locked --inexact --all-extras --group bench
	$(BIN)/python bench/run.py

bench-service: setup-servers ## The service under load, beside a bare endpoint (needs wrk)
	$(BIN)/python -m bench.service

clean: ## Remove what `make` made, the virtual environment included
	rm -rf .venv $(RUN) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
