# Six targets: demo, test, lint, docs, bench, clean. Each installs what it needs into .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TOOLS := .venv/.tools

.PHONY: demo test lint docs bench clean

demo: $(READY)
	$(BIN)/lrsym sweep sweeps/demo.toml --workers 2
	@echo "The pictures:"
	@$(BIN)/lrsym plot phase sweeps/demo.toml --metric unseen_order
	@$(BIN)/lrsym plot ablation sweeps/demo.toml --where "n_pair_labels = 15 and layouts_per_pair = 5"

test: $(TOOLS)
	$(BIN)/pytest

lint: $(TOOLS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

docs: $(TOOLS)
	$(BIN)/python -m docs.site

bench: $(TOOLS)
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lrsym needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11 " + "$(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[refine]"
	@touch $@

$(TOOLS): $(READY)  # what develops it and only that: the demo does without
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,docs,notebooks]"
	@touch $@
