# Each target makes .venv and installs what it needs when that is missing or older than what asks for it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint format types messages bench mini tagger screenshots clean

demo: $(READY)
	$(BIN)/boceto demo --folder .demo

test: $(READY) lint
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

messages: $(READY)  ## gather every sentence for translation, and make the catalogues that are read at run time
	$(BIN)/python .ci/messages.py

bench: $(READY)
	$(BIN)/python -m benchmarks

mini: $(READY)  ## make the base in the box anew from open emoji art: an hour or two on two cores
	$(BIN)/python -m core.bases.mini.making --out .mini

tagger: $(READY)  ## make the tagger in the box anew from the same art: half an hour on one core
	$(BIN)/python -m core.taggers.mini.making --out .tagger

screenshots: $(READY)
	$(BIN)/python screenshots/make.py

clean:
	rm -rf .venv .demo .mini .tagger build *.egg-info .mypy_cache .ruff_cache .pytest_cache

# The CPU build of torch comes first where there is no GPU: the usual one brings gigabytes of CUDA.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev,mini]"
	touch $(READY)
